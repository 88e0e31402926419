//! Pod and container from a cgroup path.
