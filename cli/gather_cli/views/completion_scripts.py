# ruff: noqa: E501 - other languages' lines
"""What shells need to complete `gather`, and kubectl to complete `kubectl gather`."""

from typing import Final

VARIABLE: Final = "_GATHER_COMPLETE"
SCRIPTS: Final = {
    "bash": """\
_gather_completion() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _GATHER_COMPLETE=complete_bash "$1" 2>/dev/null))
}
complete -o default -F _gather_completion gather
""",
    "zsh": """\
#compdef gather
_gather_completion() {
    eval "$(_TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _GATHER_COMPLETE=complete_zsh "${words[1]}" 2>/dev/null)"
}
compdef _gather_completion gather
""",
    "fish": """\
function __gather_complete
    _GATHER_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=(commandline -cp) gather 2>/dev/null
end
complete --command gather --no-files --arguments "(__gather_complete)"
""",
}


def kubectl_script() -> str:
    """Return the program `kubectl_complete-gather`, which kubectl calls with the words after `kubectl gather`."""
    return """\
#!/bin/sh
# kubectl (1.26 and later) calls this to complete `kubectl gather`; it must be on PATH and executable.
COMP_WORDS="gather $*" COMP_CWORD=$# _GATHER_COMPLETE=complete_bash kubectl-gather 2>/dev/null
echo ":4"
"""
