package command

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// helpFlag belongs to every command.
const helpFlag = "help"

// parse sets inv's arguments and flags from args, which hold at least one
// flag. Only the command that was asked for is declared.
func (inv *Invocation) parse(args []string) error {
	set := pflag.NewFlagSet(inv.Path, pflag.ContinueOnError)
	addFlags(set, append(slices.Clip(inv.flags), ownHelp))
	if err := set.Parse(args); err != nil {
		return inv.flagFailure(args, err)
	}
	inv.Args = set.Args()
	inv.given = make(map[string]any)
	set.Visit(func(f *pflag.Flag) { inv.given[f.Name] = flagValue(set, f) })
	return nil
}

// addFlags declares flags, with their further names.
func addFlags(set *pflag.FlagSet, flags []Flag) {
	names := map[string]string{}
	for _, f := range flags {
		for _, alias := range f.Aliases {
			names[alias] = f.Name
		}
		switch d := f.Default.(type) {
		case bool:
			set.BoolP(f.Name, f.Short, d, f.Usage)
		case string:
			set.StringP(f.Name, f.Short, d, f.Usage)
		case int:
			set.IntP(f.Name, f.Short, d, f.Usage)
		case uint64:
			set.Uint64P(f.Name, f.Short, d, f.Usage)
		case time.Duration:
			set.VarP((*duration)(&d), f.Name, f.Short, f.Usage)
		case []string:
			set.StringArrayP(f.Name, f.Short, d, f.Usage)
		default:
			panic("command: flag " + f.Name + " has a default of no known kind")
		}
	}
	if len(names) == 0 {
		return
	}
	set.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if real, ok := names[name]; ok {
			name = real
		}
		return pflag.NormalizedName(name)
	})
}

// duration is the value of a time flag: a number alone counts seconds.
type duration time.Duration

// Set reads a value.
func (d *duration) Set(text string) error {
	v, err := time.ParseDuration(WithUnit(text))
	*d = duration(v)
	return err
}

// String returns the value as the parser reads it back.
func (d *duration) String() string { return time.Duration(*d).String() }

// Type names the kind of the value.
func (d *duration) Type() string { return "duration" }

// WithUnit returns a time with its unit, which is the second where text is a
// number alone: "5" is "5s".
func WithUnit(text string) string {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return text + "s"
	}
	return text
}

// flagValue returns the value of a flag in the type of its default. The
// getters fail only for another type than the flag was declared with.
func flagValue(set *pflag.FlagSet, f *pflag.Flag) any {
	var v any
	switch f.Value.Type() {
	case "bool":
		v, _ = set.GetBool(f.Name)
	case "int":
		v, _ = set.GetInt(f.Name)
	case "uint64":
		v, _ = set.GetUint64(f.Name)
	case "duration":
		v, _ = set.GetDuration(f.Name)
	case "stringArray":
		v, _ = set.GetStringArray(f.Name)
	default:
		v = f.Value.String()
	}
	return v
}

// kinds says what a flag of a type wants.
var kinds = [...]struct{ kind, wants string }{
	{"bool", "true or false"}, {"int", "a number"}, {"uint64", "a number from 0"},
	{"duration", "a time such as 5s or 1m"},
}

// flagFailure puts a parser's error into our words. It never repeats a value:
// what stands in the wrong place may be a secret.
func (inv *Invocation) flagFailure(args []string, err error) error {
	hint := inv.Path + " --help"
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		for _, arg := range args {
			if name, _, _ := strings.Cut(arg, "="); len(name) > 2 && name[0] == '-' && strings.HasSuffix(arg, unknown.GetSpecifiedShortnames()) {
				hint, _ = inv.meant(args, name, hint) // a long name behind one dash
				break
			}
		}
		return Usage(hint, "%s has no flag -%s", inv.Path, unknown.GetSpecifiedName()[:1])
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		hint, known := inv.meant(args, "--"+name, hint)
		if known || len(name) <= longestTypo {
			return Usage(hint, "%s has no flag --%s", inv.Path, name)
		}
	case errors.As(err, &missing):
		return Usage(hint, "flag --%s wants a value", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		wants := "another value"
		for _, k := range kinds {
			if k.kind == invalid.GetFlag().Value.Type() {
				wants = k.wants
			}
		}
		return Usage(hint, "flag --%s wants %s", invalid.GetFlag().Name, wants)
	}
	return Usage(hint, "%s has no such flag", inv.Path)
}

// meant returns the call with the flag that word was probably meant for in its
// place, or else the hint that is given. ok says whether there is such a flag.
func (inv *Invocation) meant(args []string, word, hint string) (_ string, ok bool) {
	near := nearFlag(append(slices.Clip(inv.flags), ownHelp), strings.TrimLeft(word, "-"))
	if near == nil {
		return hint, false
	}
	words := slices.Clone(args)
	for i, arg := range words {
		if name, value, hasValue := strings.Cut(arg, "="); name == word {
			words[i] = "--" + near.Name
			if hasValue {
				words[i] += "=" + value
			}
		}
	}
	if MayBeSecret(words...) {
		return strings.TrimSpace(inv.Path + " --" + near.Name + " " + near.Value), true
	}
	return inv.Path + " " + Quote(words...), true
}
