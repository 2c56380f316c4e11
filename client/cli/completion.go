package cli

import (
	"context"
	"strings"

	"github.com/o2fa/o2fa/internal/command"
)

func completionCommand() *command.Command {
	return &command.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes o2fa in a shell",
		Long: `Commands, flags, values and the names of entries; those only while the vault is
open. SHELL is bash, zsh, fish or powershell. To have it in every new shell:

  bash
    mkdir -p ~/.local/share/bash-completion/completions
    o2fa completion bash > ~/.local/share/bash-completion/completions/o2fa
  bash without the package bash-completion: in ~/.bashrc
    eval "$(o2fa completion bash)"
  zsh
    mkdir -p ~/.zfunc
    o2fa completion zsh > ~/.zfunc/_o2fa
  and in ~/.zshrc, unless they are there already
    fpath=(~/.zfunc $fpath)
    autoload -U compinit && compinit
  fish
    mkdir -p ~/.config/fish/completions
    o2fa completion fish > ~/.config/fish/completions/o2fa.fish
  PowerShell: in the file $PROFILE
    o2fa completion powershell | Out-String | Invoke-Expression

Packages of o2fa put the scripts where the shells look; then nothing is to do.`,
		Example: "o2fa completion bash\no2fa completion fish",
		MinArgs: 1, MaxArgs: 1,
		Complete: command.OneOf(command.Shells()...),
		Run:      runCompletion,
	}
}

func runCompletion(_ context.Context, inv *command.Invocation) error {
	script, ok := command.CompletionScript("o2fa", inv.Args[0])
	if !ok {
		return command.Usage("o2fa completion bash", "o2fa completes in %s only", strings.Join(command.Shells(), ", "))
	}
	inv.Printf("%s", script)
	return nil
}
