package daemon_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/o2fa/o2fa/daemon/daemontest"
	"github.com/o2fa/o2fa/ipc"
)

// TestMirrorAndEditors lets real programs save the file, in mode mirror, where a
// look at half a file would do the most harm: each rename arrives, nothing leaves.
func TestMirrorAndEditors(t *testing.T) {
	for name, e := range map[string]struct {
		needs string
		run   func(path, from, to string) *exec.Cmd
	}{
		"sed -i (package sed)": {"sed", func(path, from, to string) *exec.Cmd {
			return exec.Command("sed", "-i", `s/"`+from+`"/"`+to+`"/`, path)
		}},
		"jq and mv (package jq)": {"jq", func(path, from, to string) *exec.Cmd {
			return exec.Command("sh", "-c", `jq --arg a "$1" --arg b "$2" '(.secrets[]|select(.name==$a)).name=$b' "$3" > "$3.new" && mv "$3.new" "$3"`, "sh", from, to, path)
		}},
		"Python as open2fa does it (package python3)": {"python3", func(path, from, to string) *exec.Cmd {
			return exec.Command("python3", "-c", `import json,os,sys
p=sys.argv[3]; d=json.load(open(p))
for s in d["secrets"]:
    if s["name"]==sys.argv[1]: s["name"]=sys.argv[2]
with open(p+".tmp","w") as f: json.dump(d,f)
os.rename(p+".tmp",p)`, from, to, path)
		}},
		"Python in place (package python3)": {"python3", func(path, from, to string) *exec.Cmd {
			return exec.Command("python3", "-c", `import json,sys,time
p=sys.argv[3]; f=open(p,"r+"); d=json.load(f)
for s in d["secrets"]:
    if s["name"]==sys.argv[1]: s["name"]=sys.argv[2]
t=json.dumps(d,indent=2); f.seek(0); f.truncate(); f.write(t[:20]); f.flush(); time.sleep(0.4); f.write(t[20:]); f.close()`, from, to, path)
		}},
		"vim (package vim)": {"vim", func(path, from, to string) *exec.Cmd {
			return exec.Command("vim", "-u", "NONE", "-i", "NONE", "-es", "-c", "set backup writebackup backupcopy=no", "-c", `%s/"`+from+`"/"`+to+`"/`, "-c", "wq", path)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(e.needs); err != nil {
				t.Skip(e.needs + " is not installed" + name[strings.Index(name, " (package"):])
			}
			d, path := mirrored(t)
			was := "a"
			for i := range 3 {
				to := fmt.Sprintf("renamed%d", i)
				if out, err := e.run(path, was, to).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				waitNames(t, d, to, "b", "c")
				was = to
			}
			d.Add(t, "MFRGGZDFMZTWQ2LK", "ours")
			untilOr(t, func() bool { data, _ := os.ReadFile(path); return strings.Contains(string(data), "ours") }, func() { t.Error("it is not in the file") })
			waitNames(t, d, was, "b", "c", "ours")
			if trash, err := d.Client.Trash(t.Context()); err != nil || trash.Total != 0 {
				t.Errorf("%+v, %v", trash, err)
			}
		})
	}
}

// TestMirrorInAStorm: open2fa's like adds rows a hundred times a second, always
// from what it has read before, while entries are added here. Looks go on
// meanwhile, and nothing is lost at the end.
func TestMirrorInAStorm(t *testing.T) {
	d, path := mirrored(t)
	want := []string{"a", "b", "c"}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range 200 {
		<-tick.C
		name := fmt.Sprint("theirs ", i)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if i%50 == 25 { // between their reading and their writing
			d.Add(t, secretNumber(1000+i), fmt.Sprint("ours ", i))
			want = append(want, fmt.Sprint("ours ", i))
			<-time.After(50 * time.Millisecond)
		}
		save(t, path, withRow(t, data, secretNumber(i), name))
		want = append(want, name)
	}
	waitNames(t, d, want...)
	untilOr(t, func() bool {
		data, err := os.ReadFile(path)
		return err == nil && strings.Count(string(data), `"secret"`) == len(want)
	}, func() {
		data, _ := os.ReadFile(path)
		t.Errorf("%d rows in the file, want %d", strings.Count(string(data), `"secret"`), len(want))
	})
	waitNames(t, d, want...)
	if list, err := filepath.Glob(path + "*"); err != nil || len(list) != 1 {
		t.Errorf("left beside the file: %v, %v", list, err)
	}
}

// secretNumber is a secret of 16 characters, another for each number below 32^3.
func secretNumber(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	return "GEZDGNBVGY3TQ" + string([]byte{letters[n>>10&31], letters[n>>5&31], letters[n&31]})
}

// withRow returns a file with one row more.
func withRow(t *testing.T, data []byte, secret, name string) string {
	t.Helper()
	var file struct {
		Secrets []row `json:"secrets"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	file.Secrets = append(file.Secrets, row{secret, name})
	out, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestMirrorOfTenThousand: what one entry costs with many beside it.
func TestMirrorOfTenThousand(t *testing.T) {
	d := daemontest.New(t)
	rows := make([]row, 10_000)
	for i := range rows {
		rows[i] = row{secretNumber(i), fmt.Sprint("entry ", i)}
	}
	put(t, d, rows...)
	d.Start(t)
	if got := mode(t, d, "mirror"); got.Rows != len(rows) || got.Mirrored != len(rows) || got.Problem != "" {
		t.Fatalf("%d rows, %d mirrored, %s", got.Rows, got.Mirrored, got.Problem)
	}
	began := time.Now()
	d.Add(t, secretNumber(20_000), "one more")
	untilOr(t, func() bool {
		data, err := os.ReadFile(d.Profile.SecretsFile())
		return err == nil && strings.HasSuffix(string(data), `"name": "one more"}]}`)
	}, func() { t.Error("it is not in the file") })
	t.Logf("one entry is in a file of 10,000 rows after %v", time.Since(began))
	removeEntry(t, d, "entry 5000")
	until(t, func() bool { s, err := d.Client.SecretsFile(t.Context()); return err == nil && s.Rows == len(rows) })
}

// TestSecretsFileThatComesAndGoes: the directory of a link's target, and the link.
func TestSecretsFileThatComesAndGoes(t *testing.T) {
	d, path := mirrored(t)
	dir := filepath.Join(filepath.Dir(d.Profile.Dir), "dots")
	real := filepath.Join(dir, "file.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	held := func(want string) {
		t.Helper()
		until(t, func() bool { s, err := d.Client.SecretsFile(t.Context()); return err == nil && s.Held == want })
	}
	for range 2 {
		if err := errors.Join(os.Remove(path), os.Symlink(real, path)); err != nil {
			t.Skip(err) // Windows wants a privilege for links
		}
		held(ipc.HeldMissing) // it leads nowhere
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(real, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		held("")
		d.Add(t, "MFRGGZDFMZTWQ2LK", "new")
		untilOr(t, func() bool { b, _ := os.ReadFile(real); return strings.Contains(string(b), "new") }, func() { t.Error("not through the link") })
		removeEntry(t, d, "new")
		waitFile(t, real, fileOf(secretA, "a", secretB, "b", secretC, "c"))
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		held(ipc.HeldMissing)
	}
	if err := errors.Join(os.Remove(path), os.Symlink("secrets.json", path)); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		s, err := d.Client.SecretsFile(t.Context())
		return err == nil && s.Problem != "" && s.Held != ""
	})
	if err := errors.Join(os.Remove(path), os.WriteFile(path, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	held("")
	waitNames(t, d, "a", "b", "c")
}
