package ipc

// Desktop tells the daemon where the one who asks sits: the session bus with the
// keyring, and the display where the keyring can ask. A daemon that was started
// before anybody logged in, over the network, or in a session that has ended takes
// from it what it lacks; what works it keeps.
type Desktop struct {
	Bus     string `json:"bus,omitempty"`     // DBUS_SESSION_BUS_ADDRESS
	Display string `json:"display,omitempty"` // DISPLAY
	Wayland string `json:"wayland,omitempty"` // WAYLAND_DISPLAY
}
