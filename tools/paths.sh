# Sourced by the other scripts: where tools that we build ourselves are kept, so that no installation is touched.
tools_cache=${XDG_CACHE_HOME:-$HOME/.cache}/gthulhu-tools
# Named after what is in it, so that other versions are another folder.
schemathesis=$tools_cache/schemathesis-$(sha256sum tools/schemathesis/requirements.txt | cut -c 1-12)
# The API server and the store of a real Kubernetes, for the tests.
export GTHULHU_KUBERNETES=${GTHULHU_KUBERNETES:-$tools_cache/kubernetes-1.20.2}
PATH=$tools_cache/bin:$PATH:$HOME/.cargo/bin
