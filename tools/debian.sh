# Sourced by scripts that take packages from a suite of Debian's archive without touching the machine: apt has a configuration,
# lists and a cache of its own in $cache/apt, and what is fetched is unpacked by the caller, never installed.
#
# The caller sets `cache`, defines `say MESSAGE` and, if it wants sources, sets `types` to `deb deb-src`.

# in_suite SUITE TOOL ARG...: apt-get or apt-cache that knows nothing but this suite.
in_suite() {
    local dir=$cache/apt/$1 tool=$2
    shift 2
    "$tool" -o Dir::Etc::sourcelist="$dir/suite.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User=root \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
}

declare -A lists_read
read_lists() {
    local dir=$cache/apt/$1 uri
    [ -z "${lists_read[$1]:-}" ] || return 0
    uri=$(mirror) || { say "no Debian mirror in this machine's apt sources"; return 1; }
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "${types:-deb}" "$uri" "$1" \
        /usr/share/keyrings/debian-archive-keyring.gpg >"$dir/suite.sources"
    say "reading the package list of $1"
    in_suite "$1" apt-get update >"$dir/log" 2>&1 || { say "no lists of $1, see $dir/log"; return 1; }
    lists_read[$1]=yes
}

# The mirror that this machine already uses for Debian's main archive, in either form of apt's sources.
mirror() {
    local file uri=
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -z "$uri" ] && [ -e "$file" ] || continue
        uri=$(awk 'BEGIN { RS = "" } /debian-archive-keyring/ && !/-security/ && !found {
            n = split($0, lines, "\n")
            for (i = 1; i <= n && !found; i++)
                if (lines[i] ~ /^URIs:/) { split(lines[i], words, /[ \t]+/); print words[2]; found = 1 } }' "$file")
    done
    if [ -z "$uri" ] && [ -e /etc/apt/sources.list ]; then
        uri=$(awk '$1 == "deb" && !/-security/ && /debian/ && !found {
            for (i = 2; i <= NF && !found; i++) if ($i ~ /^[a-z+]+:\/\//) { print $i; found = 1 } }' /etc/apt/sources.list)
    fi
    [ -n "$uri" ] && echo "$uri"
}
