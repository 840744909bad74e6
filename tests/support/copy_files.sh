# Sourced by scripts that build elsewhere: copy_files FOLDER copies what is in the repository (or would be) into it.
copy_files() {
    if git -C "$root" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git -C "$root" ls-files --cached --others --exclude-standard -z
    else
        (cd "$root" && find . -name '.venv*' -prune -o -type f ! -name '*.c' ! -name '*.so' -print0)
    fi | (cd "$root" && while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done) |
        tar -C "$root" --null -T - -cf - | tar -C "$1" -xf -
}
