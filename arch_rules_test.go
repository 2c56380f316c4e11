package o2fa_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/o2fa/o2fa"

// pkg is a directory with Go files, whatever systems or tags they are for: the
// rules hold for those that this machine does not build, too.
type pkg struct {
	path  string // below the module, "." for its root
	name  string // of the files that are no tests; empty if there are none
	files []*file
}

type file struct {
	name   string // path below the module
	test   bool
	syntax *ast.File
	lines  func(ast.Node) int // how many lines a node covers
}

// helper reports whether p only serves tests.
func (p *pkg) helper() bool { return isHelper(p.path) }

func isHelper(path string) bool {
	last := path[strings.LastIndexByte(path, '/')+1:]
	return strings.HasSuffix(last, "test") && last != "test"
}

// load parses the Go files of a module. Like the go command it skips testdata,
// names that begin with a dot or underscore, and modules inside.
func load(fsys fs.FS) ([]*pkg, error) {
	packages := map[string]*pkg{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
			if name != "." && (err == nil || strings.ContainsRune("._", rune(d.Name()[0])) || d.Name() == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		f, err := parse(fsys, name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if packages[dir] == nil {
			packages[dir] = &pkg{path: dir}
		}
		p := packages[dir]
		p.files = append(p.files, f)
		if !f.test {
			p.name = f.syntax.Name.Name
		}
		return nil
	})
	return slices.SortedFunc(maps.Values(packages), func(a, b *pkg) int { return strings.Compare(a.path, b.path) }), err
}

func parse(fsys fs.FS, name string) (*file, error) {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, name, source, parser.ParseComments)
	return &file{
		name:   name,
		test:   strings.HasSuffix(name, "_test.go"),
		syntax: syntax,
		lines:  func(n ast.Node) int { return set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1 },
	}, err
}

// imports returns the paths that f imports.
func (f *file) imports() (paths []string) {
	for _, spec := range f.syntax.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser accepted it
		}
		paths = append(paths, path)
	}
	return paths
}

// below returns where in our module an import path lies, if it does.
func below(importPath string) (string, bool) {
	if importPath == module {
		return root, true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// matches reports whether path is pattern, or lies below what stands before "/...".
func matches(pattern, path string) bool {
	base, subtree := strings.CutSuffix(pattern, "/...")
	return path == base || subtree && strings.HasPrefix(path, base+"/")
}

// allowed returns the row of the law for path: the longest pattern decides.
func allowed(path string) []string {
	best := ""
	for pattern := range law {
		if matches(pattern, path) && len(pattern) > len(best) {
			best = pattern
		}
	}
	return law[best]
}

func checkLaw(packages []*pkg) (complaints []string) {
	for _, p := range packages {
		for _, f := range p.files {
			if f.test && p.path == root {
				continue // the tests of the whole
			}
			for _, imported := range f.imports() {
				to, ours := below(imported)
				legal := slices.ContainsFunc(allowed(p.path), func(pattern string) bool { return matches(pattern, to) })
				if !ours || legal || f.test && (to == p.path || isHelper(to)) || isHelper(to) && !f.test {
					continue // of the last, checkHelpers speaks
				}
				complaints = append(complaints, fmt.Sprintf("%s imports %s, and the law does not allow it", f.name, to))
			}
		}
	}
	return complaints
}

func checkHelpers(packages []*pkg) (complaints []string) {
	for _, p := range packages {
		for _, f := range p.files {
			for _, imported := range f.imports() {
				if to, ours := below(imported); ours && isHelper(to) && !f.test && !p.helper() {
					complaints = append(complaints, fmt.Sprintf("%s: %s is for tests and other helpers", f.name, to))
				}
			}
		}
	}
	return complaints
}

func checkModules(packages []*pkg) (complaints []string) {
	for _, p := range packages {
		for _, f := range p.files {
			for _, imported := range f.imports() {
				first, _, _ := strings.Cut(imported, "/")
				if _, ours := below(imported); ours || !strings.Contains(first, ".") {
					continue // of the standard library
				}
				if why := misplaced(p, f, imported); why != "" {
					complaints = append(complaints, f.name+": "+why)
				}
			}
		}
	}
	return complaints
}

// misplaced says why f must not import a package of another module; empty if it may.
func misplaced(p *pkg, f *file, imported string) string {
	if slices.Contains(stdlibOnly, p.path) && !f.test {
		return fmt.Sprintf("%s has the standard library only, not %s", p.path, imported)
	}
	in := func(module string) bool { return matches(module+"/...", imported) }
	if slices.ContainsFunc(everywhere, in) {
		return ""
	}
	for module, only := range testOnly {
		if in(module) {
			if f.test && p.path == only {
				return ""
			}
			return fmt.Sprintf("only tests of %s import %s", only, module)
		}
	}
	for module, only := range importers {
		if in(module) {
			if p.path == only {
				return ""
			}
			return fmt.Sprintf("only %s imports %s", only, module)
		}
	}
	return imported + " has no importer in arch_test.go yet"
}

func checkDocs(packages []*pkg) (complaints []string) {
	for _, p := range packages {
		if p.name == "" {
			continue // tests only
		}
		begin := "Package " + p.name + " "
		if p.name == "main" {
			begin = "Command " + path.Base(p.path)
		}
		var doc string
		for _, f := range p.files {
			if !f.test {
				doc += f.syntax.Doc.Text()
			}
		}
		switch {
		case doc == "":
			complaints = append(complaints, p.path+" has no package comment")
		case !strings.HasPrefix(doc, begin):
			complaints = append(complaints, fmt.Sprintf("%s: its comment begins with %.20q, not %q", p.path, doc, begin))
		}
	}
	return complaints
}

func checkMains(packages []*pkg) (complaints []string) {
	const most = 20
	for _, p := range packages {
		if p.name != "main" {
			continue
		}
		for _, f := range p.files {
			for _, decl := range f.syntax.Decls {
				fn, ok := decl.(*ast.FuncDecl)
				switch {
				case !ok || f.test:
				case fn.Name.Name != "main":
					complaints = append(complaints, fmt.Sprintf("%s: %s belongs into a package that can be imported", f.name, fn.Name.Name))
				case f.lines(fn) > most:
					complaints = append(complaints, fmt.Sprintf("%s: main has %d lines, more than %d", f.name, f.lines(fn), most))
				}
			}
		}
	}
	return complaints
}

// process lists what only a main may touch.
var process = map[string][]string{
	"os": {"Exit", "Args", "Stdin", "Stdout", "Stderr", "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv",
		"UserHomeDir", "UserConfigDir", "UserCacheDir", "TempDir"},
	"syscall": {"Exit", "Getenv", "Environ", "Setenv", "Unsetenv", "Clearenv"},
	"log":     {"Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln"},
}

func checkProcess(packages []*pkg) (complaints []string) {
	for _, p := range packages {
		for _, f := range p.files {
			if p.name == "main" || p.helper() || f.test {
				continue
			}
			for _, use := range f.uses(process) {
				complaints = append(complaints, fmt.Sprintf("%s: %s uses %s, which is for mains", f.name, use.in, use.what))
			}
		}
	}
	return complaints
}

func checkSleep(packages []*pkg) (complaints []string) {
	for _, p := range packages {
		for _, f := range p.files {
			if !f.test && !p.helper() {
				continue
			}
			for _, use := range f.uses(map[string][]string{"time": {"Sleep"}}) {
				complaints = append(complaints, fmt.Sprintf("%s: %s sleeps; wait for the thing itself, or use testing/synctest", f.name, use.in))
			}
		}
	}
	return complaints
}

func checkCgo(packages []*pkg) (complaints []string) {
	for _, p := range packages {
		for _, f := range p.files {
			if slices.Contains(f.imports(), "C") && !matches("tray/...", p.path) {
				complaints = append(complaints, f.name+" uses cgo, which only the tray may")
			}
		}
	}
	return complaints
}

func checkVariables(packages []*pkg) (complaints []string) {
	for _, p := range packages {
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, decl := range f.syntax.Decls {
				group, ok := decl.(*ast.GenDecl)
				if !ok || group.Tok != token.VAR {
					continue
				}
				for _, spec := range group.Specs {
					complaints = append(complaints, exportedVariables(f, spec.(*ast.ValueSpec))...)
				}
			}
		}
	}
	return complaints
}

// exportedVariables complains about what anybody could assign to. Sentinel errors
// are such variables, too, but Go has no other form for them.
func exportedVariables(f *file, spec *ast.ValueSpec) (complaints []string) {
	for i, name := range spec.Names {
		if !name.IsExported() {
			continue
		}
		if i < len(spec.Values) && strings.HasPrefix(name.Name, "Err") {
			if call, ok := spec.Values[i].(*ast.CallExpr); ok {
				if fn, ok := call.Fun.(*ast.SelectorExpr); ok && (fn.Sel.Name == "New" || fn.Sel.Name == "Errorf") {
					continue
				}
			}
		}
		complaints = append(complaints, fmt.Sprintf("%s: %s, an exported variable, should be a constant, a function or a field", f.name, name.Name))
	}
	return complaints
}

// use is a mention of something in another package.
type use struct {
	in   string // the function around it, "(package)" if there is none
	what string // such as "os.Exit"
}

// uses finds mentions of names from packages, whatever f calls those packages.
func (f *file) uses(names map[string][]string) (found []use) {
	local := map[string]string{} // name in this file → import path
	for i, imported := range f.imports() {
		name := path.Base(imported)
		if given := f.syntax.Imports[i].Name; given != nil {
			name = given.Name
		}
		local[name] = imported
	}
	for _, decl := range f.syntax.Decls {
		in := "(package)"
		if fn, ok := decl.(*ast.FuncDecl); ok {
			in = fn.Name.Name
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if from, ok := selector.X.(*ast.Ident); ok && slices.Contains(names[local[from.Name]], selector.Sel.Name) {
				found = append(found, use{in, local[from.Name] + "." + selector.Sel.Name})
			}
			return true
		})
	}
	return found
}
