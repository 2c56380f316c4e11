package o2fa_test

import (
	"errors"
	"slices"
	"time"

	"github.com/o2fa/o2fa/ipc"
)

// backup makes a backup, at times of a daemon that is killed meanwhile, and has
// it verified.
func (s *soak) backup() {
	s.fileSettled()
	s.read()
	made := make(chan error, 1)
	var reply ipc.BackupCreated
	go func() {
		var err error
		reply, err = s.staying().CreateBackup(s.Context(), ipc.BackupCreateRequest{})
		made <- err
	}()
	kill := !s.calm && s.odds(3)
	if kill {
		<-time.After(time.Duration(s.rng.Int64N(int64(80 * time.Millisecond))))
		s.kill()
	}
	if err := <-made; err != nil && (!kill || !errors.Is(err, ipc.ErrUnavailable)) {
		s.fail("making a backup: %v", err)
	} else if err == nil {
		s.verify(reply.Backup.Name, true)
	}
	if kill { // whatever was left by halves is no backup
		s.unlocked()
		list, err := s.client.Backups(s.Context())
		if err != nil {
			s.fail("backups: %v", err)
		}
		if at := slices.IndexFunc(list.Backups, func(b ipc.Backup) bool { return b.Opens }); at >= 0 {
			s.verify(list.Backups[at].Name, false)
		}
	}
}

// verify has a backup verified, which the key of now opens. A fresh one holds the
// vault as it is.
func (s *soak) verify(name string, fresh bool) {
	s.Helper()
	s.unlocked()
	reply, err := s.client.VerifyBackup(s.Context(), ipc.BackupVerifyRequest{BackupRequest: ipc.BackupRequest{Name: name}})
	if err != nil || len(reply.Backups) != 1 {
		s.fail("verifying a backup: %v, %+v", err, reply)
	}
	b := reply.Backups[0]
	if b.Problem != nil || !b.Sealed || b.Codes != b.Entries+b.Trashed {
		s.fail("the backup: %v, %+v", b.Problem, b)
	}
	if live, all := len(s.world().pick(item.live)), len(s.world().items); fresh && len(s.worlds) == 1 && (b.Entries != live || b.Trashed != all-live) {
		s.fail("the backup holds %d entries and %d in the trash, the vault %d and %d", b.Entries, b.Trashed, live, all-live)
	}
}
