#!/usr/bin/env bash
# The engine's fast tests under bounds checks (debug) and under gcc's AddressSanitizer and UBSan (sanitize):
#   tests/sanitizers.sh [debug] [sanitize]      both without an argument; PYTHON names the interpreter
# Builds in a temporary copy of the tracked and untracked files, never in the checkout.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v "${PYTHON:-$root/.venv/bin/python}")
[[ $python == /* ]] || python=$PWD/$python
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# test_games.py needs torch; the games left out by name or as slow take minutes here, and add no code of the engine
tests=(tests/sim_core/test_{fuzz,batch,search,endgame,opponents,connect_four,notation,rules_vectors,playthroughs,properties}.py)
# what C cannot raise it prints, as an "unraisable" error: here that fails the test
pytest=(-m pytest -q -x -m "not slow" --capture=no --noconftest -p no:cacheprovider -W error::pytest.PytestUnraisableExceptionWarning
        -k "not beats and not wins_against and not dirichlet and not forked")

copy_to() {
    mkdir "$1"
    if git -C "$root" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git -C "$root" ls-files --cached --others --exclude-standard -z
    else
        (cd "$root" && find . -name .venv -prune -o -type f ! -name '*.c' ! -name '*.so' -print0)
    fi | (cd "$root" && while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done) |
        tar -C "$root" --null -T - -cf - | tar -C "$1" -xf -
    cd "$1"
}

build() {
    "$python" setup.py -q build_ext --inplace >"$copy/log" 2>&1 || { cat "$copy/log"; exit 1; }
}

for mode in "${@:-debug sanitize}"; do
    for kind in $mode; do
        copy_to "$copy/$kind"
        case $kind in
        debug)
            LIT_ALPHAZERO_DEBUG=1 build
            "$python" tests/debug_build.py
            "$python" "${pytest[@]}" "${tests[@]}"
            ;;
        sanitize)
            LIT_ALPHAZERO_SANITIZE=1 build
            # libstdc++ beside it, or the first C++ exception of any other extension ends the process
            env LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)" \
                ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
                "$python" "${pytest[@]}" "${tests[@]}"
            ;;
        *)
            echo "$kind: unknown; expected debug or sanitize" >&2
            exit 2
            ;;
        esac
    done
done
