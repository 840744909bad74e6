#!/usr/bin/env bash
# The engine's fast tests under bounds checks (debug), or under those and gcc's AddressSanitizer and UBSan (sanitize):
#   tests/support/sanitizers.sh [debug|sanitize]      sanitize without an argument; PYTHON names the interpreter
# Where ENGINE_COVERAGE names a file, which lines of the engine they reached is written to it.
# Builds in a temporary copy of the tracked and untracked files, never in the checkout.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=$(command -v "${PYTHON:-$root/.venv/bin/python}")
[[ $python == /* ]] || python=$PWD/$python
kind=${1:-sanitize}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# test_game.py of sim_core needs torch; the games left out by name or as slow take long here, and add no code of the engine
tests=(tests/sim_core/test_{arguments,batch,batch_arguments,beliefs,connect_four,game_record,in_use,rng,runner,runner_settings,state}.py
       tests/sim_core/tree_search/test_{gumbel,ismcts,leaves,search,searcher,settings,solved_roots,trees}.py
       tests/sim_core/beasty_bar/test_{fuzz,endgame,game,hands,opponent_policy,opponents,notation,rules_vectors,playthroughs,properties}.py)
left_out="not beats and not wins_against and not dirichlet and not forked and not memory and not plain_tree
          and not tactical_wins and not three_plies and not immediate_loss and not win_in_one"
seed=$RANDOM
echo "Using --randomly-seed=$seed"
# what C cannot raise it prints, as an "unraisable" error: here that fails the test
pytest=(-m pytest -q -x -m "not slow" -k "${left_out//$'\n'/}" --capture=no --noconftest -p no:cacheprovider
        --randomly-seed="$seed" -W error::pytest.PytestUnraisableExceptionWarning)

source "$root/tests/support/copy_files.sh"
case $kind in
debug) sanitizers=() ;;
# libstdc++ beside it, or the first C++ exception of any other extension ends the process
sanitize) sanitizers=(
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)"
    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
    ) ;;
*)
    echo "$kind: unknown; expected debug or sanitize" >&2
    exit 2
    ;;
esac
copy_files "$copy"
cd "$copy"
export LIT_ALPHAZERO_DEBUG=1
[[ $kind == debug ]] || export LIT_ALPHAZERO_SANITIZE=1
[[ -z ${ENGINE_COVERAGE:-} ]] || export LIT_ALPHAZERO_COVERAGE=1
"$python" setup.py -q build_ext --inplace >log 2>&1 || { cat log; exit 1; }
env "${sanitizers[@]}" "$python" tests/support/debug_build.py
env "${sanitizers[@]}" "$python" "${pytest[@]}" "${tests[@]}"
[[ -z ${ENGINE_COVERAGE:-} ]] || "$python" tests/support/engine_coverage.py >"$ENGINE_COVERAGE"
