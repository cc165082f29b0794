# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# pinion.bash -- completes commands, options and settings; the binary itself says what there is.

_pinion_words() {
    case $1 in
    commands) pinion help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' ;;
    options) pinion help "$2" 2>/dev/null | sed -n 's/^ *\(-[a-zA-Z], \)\{0,1\}\(--[a-z-]*\).*/\2/p' ;;
    settings) pinion check 2>/dev/null | sed -n '2,/^$/s/^\([a-z._]*\) .*/\1=/p' ;;
    actions) pinion help ctl 2>/dev/null | sed -n '/^actions:/,/^examples:/s/^  \([a-z-]*\) .*/\1/p' ;;
    modes) pinion help bench 2>/dev/null | sed -n '/^modes:/,/^$/s/^  \([a-z-]*\) .*/\1/p' ;;
    esac
}

_pinion() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} words

    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$(_pinion_words commands)
    else
        case $before in
        -c | --config | -f | --file | --token-file | --ca)
            if [ "$command" != sub ]; then
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
                return
            fi
            ;;
        help) words=$(_pinion_words commands) ;;
        -s | --set) words=$(_pinion_words settings) ;;
        -m | --mode) if [ "$command" = bench ]; then words=$(_pinion_words modes); fi ;;
        esac
        if [ "$command" = log ] && [[ $word != -* ]]; then
            if [ "$COMP_CWORD" -eq 2 ]; then words="check dump stat"; else
                mapfile -t COMPREPLY < <(compgen -d -- "$word")
                return
            fi
        fi
        if [ "$command" = passwd ] && [[ $word != -* ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
        fi
        if [ "$command" = ctl ] && [[ $word != -* ]]; then words=$(_pinion_words actions); fi
        if [ -z "$words" ]; then words=$(_pinion_words options "$command"); fi
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    if [[ ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
}

complete -F _pinion pinion
