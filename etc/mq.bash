# Completion of mq for bash: commands, and the options of each, as their --help
# names them, so that this file knows none of them itself.
_mq()
{
	local mq=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W "$("$mq" --help 2>/dev/null |
			sed -n 's/^  \(-*[a-z][a-z-]*\)  .*/\1/p')" -- "$word"))
		return
	fi
	case $before in
	--topic)
		# The topics of the broker that the line names, if it answers at once.
		local server=() i
		for ((i = 2; i < COMP_CWORD - 1; i++)); do
			[[ ${COMP_WORDS[i]} == --bootstrap-server || ${COMP_WORDS[i]} == --command-config ]] &&
				server+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}")
		done
		COMPREPLY=($(compgen -W "$("$mq" topics --list --timeout-ms 1000 "${server[@]}" 2>/dev/null)" \
			-- "$word"))
		;;
	--compression-codec)
		COMPREPLY=($(compgen -W 'none gzip snappy lz4 zstd' -- "$word"))
		;;
	*)
		if [[ $word == -* ]]; then
			COMPREPLY=($(compgen -W "$("$mq" "${COMP_WORDS[1]}" --help 2>/dev/null |
				sed -n 's/^  \(--*[a-zA-Z][a-zA-Z.-]*\).*/\1/p')" -- "$word"))
		else
			COMPREPLY=($(compgen -f -- "$word"))
		fi
		;;
	esac
}
complete -o filenames -F _mq mq
