//! Programs that must not compile: a route that says nothing of who may call it, and a handler that takes another proof
//! than its route's policy gives.
//!
//! Each lies in `policies/` beside what the compiler says of it; `TRYBUILD=overwrite` writes that anew.

#[test]
fn no_route_without_its_policy() {
    trybuild::TestCases::new().compile_fail("tests/policies/*.rs");
}
