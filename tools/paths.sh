# Sourced by the other scripts: where tools that we build ourselves are kept, so that no installation is touched.
tools_cache=${XDG_CACHE_HOME:-$HOME/.cache}/gthulhu-tools
PATH=$tools_cache/bin:$PATH:$HOME/.cargo/bin
