//! A watched folder of ordinary v1 Pod manifests.
