# shellcheck shell=bash
# What the scripts share that build Go programs once into a cache outside target/. To be sourced, with
# the programs' Go module in $module. Progress goes to standard error.
#
# SMR_CACHE: where the cache is.

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "✗ $*"
    exit 1
}
elapsed() { printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}

cache=${SMR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/session-manager-role}

# Where what is built from these files is kept.
kept_as() {
    local name=$1 hash
    shift
    hash=$(cat "$@" | sha256)
    printf '%s\n' "$cache/$name-${hash:0:12}"
}

# Whether a directory has all these.
complete() {
    local dir=$1 name
    shift
    for name in "$@"; do
        [[ -x "$dir/$name" ]] || return 1
    done
}

# A directory for what is being built, in $work; it goes when the script ends, however that is, and
# with it the compiler.
begin_building() {
    command -v go >/dev/null || fail 'Go (1.26 or later) is needed to build this: https://go.dev/dl/'
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/building.XXXXXX")
    compiler=
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

clean_up() {
    if [[ -n "$compiler" ]]; then
        kill "$compiler" 2>/dev/null || :
        wait "$compiler" 2>/dev/null || :
    fi
    rm -rf "$work"
}

# Builds one program of $module into $work.
#   build NAME PACKAGE [FLAG OF go build]...
build() {
    local name=$1 package=$2
    shift 2
    compile "$name" go -C "$module" build -v -o "$work/$name" "$@" "$package"
}

# Builds one released program into $work, with the versions that its own go.mod requires.
#   install_program NAME PACKAGE@VERSION
install_program() {
    GOBIN=$work compile "$1" go install -v "$2"
}

# Runs a compiler that puts a program into $work, with a line now and then: nothing seems to hang.
#   compile NAME COMMAND [ARGUMENT]...
compile() {
    local name=$1 log=$work/$1.log step=0 last
    shift
    say "  $(elapsed)  $name: building"
    "$@" >"$log" 2>&1 &
    compiler=$!
    while kill -0 "$compiler" 2>/dev/null; do
        sleep 1
        step=$((step + 1))
        if ((step % 10 == 0)); then
            last=$(tail -n 1 "$log" | cut -c1-80)
            say "  $(elapsed)  $name: $(grep -vc '^go: ' "$log" || :) packages compiled, ${last:-linking}"
        fi
    done
    local code=0
    wait "$compiler" || code=$?
    compiler=
    if ((code != 0)); then
        tail -n 30 "$log" >&2
        fail "$name could not be built ('$*' ended with $code; its last lines are above)"
    fi
    rm -f "$log"
    say "  $(elapsed)  $name: done"
}

# Keeps what is in $work as a directory, and prints it. Someone else may have been faster: whole files
# only, and the directory at once, when it is new.
#   keep DIR NAME...
keep() {
    local dir=$1 name
    shift
    if [[ ! -e "$dir" ]]; then
        chmod 755 "$work"
        mv "$work" "$dir"
    else
        for name in "$@"; do
            [[ -e "$dir/$name" || ! -e "$work/$name" ]] || mv -f "$work/$name" "$dir/$name"
        done
    fi
    complete "$dir" "$@" || fail "$dir is not complete: remove it and run again"
    say "  $(elapsed)  kept in $dir"
    printf '%s\n' "$dir"
}
