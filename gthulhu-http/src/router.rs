//! The table of routes, and what is answered where the table has nothing.
//!
//! Under `/api` an unknown path and a known path with another method are the same 404, `OPTIONS` included: there is
//! no cross-origin support. Elsewhere a known path answers `OPTIONS` with 204 and any other method with 405, both
//! naming the methods it has. Trailing slashes count.

use std::collections::BTreeMap;

use http::Method;

use crate::call;
use crate::route::Route;

/// Finds the route of a request. Built once, never changed.
pub struct Router<A> {
    routes: Vec<Route<A>>,
    /// Path -> the indices of its routes.
    paths: matchit::Router<Vec<usize>>,
}

/// What the table says about a request.
pub(crate) enum Found<'a, A> {
    /// A route, and the decoded parameters of its path.
    Route(&'a Route<A>, Vec<(String, String)>),
    /// `OPTIONS` on a path that has these methods.
    Options(Vec<Method>),
    /// The path has these methods and not the one asked for.
    OtherMethods(Vec<Method>),
    /// No such path, or none that is told apart from it.
    Nothing,
}

/// Why a table of routes is not one. Always a mistake in the program.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// Two routes have the same method and path.
    #[error("{method} {path} is routed twice")]
    Twice {
        /// The method.
        method: Method,
        /// The path.
        path: &'static str,
    },
    /// The path cannot be matched, or not told apart from another one.
    #[error("path {path} cannot be routed")]
    Path {
        /// The path.
        path: &'static str,
        /// What is wrong with it.
        source: matchit::InsertError,
    },
}

impl<A> Router<A> {
    /// Builds the table.
    pub fn new(routes: Vec<Route<A>>) -> Result<Router<A>, RouterError> {
        let mut by_path: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
        for (index, route) in routes.iter().enumerate() {
            let same_path = by_path.entry(route.path()).or_default();
            if same_path.iter().any(|&other| routes[other].method() == route.method()) {
                return Err(RouterError::Twice { method: route.method().clone(), path: route.path() });
            }
            same_path.push(index);
        }
        let mut paths = matchit::Router::new();
        for (path, indices) in by_path {
            paths.insert(path, indices).map_err(|source| RouterError::Path { path, source })?;
        }
        Ok(Router { routes, paths })
    }

    /// Every route, in the order in which they were given.
    pub fn routes(&self) -> &[Route<A>] {
        &self.routes
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> Found<'_, A> {
        let Ok(matched) = self.paths.at(path) else { return Found::Nothing };
        let same_path = || matched.value.iter().map(|&index| &self.routes[index]);
        if let Some(route) = same_path().find(|route| route.method() == method) {
            return match call::decode_params(matched.params.iter()) {
                Some(params) => Found::Route(route, params),
                None => Found::Nothing,
            };
        }
        if path == "/api" || path.starts_with("/api/") {
            return Found::Nothing;
        }
        let methods = same_path().map(|route| route.method().clone()).collect();
        if method == Method::OPTIONS { Found::Options(methods) } else { Found::OtherMethods(methods) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Reply;
    use crate::route::Public;

    fn route(method: Method, path: &'static str) -> Route<()> {
        Route::new(method, path, Public, |_, (), _| async { Ok(Reply::done()) }, "")
    }

    fn shown(found: &Found<'_, ()>) -> String {
        match found {
            Found::Route(route, params) => {
                let params: Vec<_> = params.iter().map(|(name, value)| format!(" {name}={value}")).collect();
                format!("{}{}", route.path(), params.concat())
            }
            Found::Options(methods) => format!("options {methods:?}"),
            Found::OtherMethods(methods) => format!("other {methods:?}"),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn the_table_and_its_gaps() {
        let router = Router::new(vec![
            route(Method::GET, "/health"),
            route(Method::GET, "/api/v1/users"),
            route(Method::POST, "/api/v1/users"),
            route(Method::GET, "/api/v1/users/self"),
            route(Method::GET, "/api/v1/nodes/{nodeID}/pods/pids"),
        ])
        .unwrap();
        for (method, path, expected) in [
            (Method::GET, "/health", "/health"),
            (Method::POST, "/health", "other [GET]"),
            (Method::HEAD, "/health", "other [GET]"),
            (Method::OPTIONS, "/health", "options [GET]"),
            (Method::GET, "/health/", "nothing"),
            (Method::OPTIONS, "/nowhere", "nothing"),
            (Method::POST, "/api/v1/users", "/api/v1/users"),
            (Method::PUT, "/api/v1/users", "nothing"),
            (Method::OPTIONS, "/api/v1/users", "nothing"),
            (Method::HEAD, "/api/v1/users", "nothing"),
            (Method::GET, "/api/v1/users/", "nothing"),
            (Method::GET, "/API/v1/users", "nothing"),
            (Method::GET, "/api", "nothing"),
            (Method::GET, "*", "nothing"),
            (Method::GET, "/api/v1/nodes/n%201/pods/pids", "/api/v1/nodes/{nodeID}/pods/pids nodeID=n 1"),
            (Method::GET, "/api/v1/nodes/a%2Fb/pods/pids", "/api/v1/nodes/{nodeID}/pods/pids nodeID=a/b"),
            (Method::GET, "/api/v1/nodes/%ff/pods/pids", "nothing"),
            (Method::GET, "/api/v1/nodes//pods/pids", "nothing"),
        ] {
            assert_eq!(shown(&router.find(&method, path)), expected, "{method} {path}");
        }
        assert_eq!(router.routes().len(), 5);
    }

    #[test]
    fn a_table_that_contradicts_itself_is_refused() {
        let error = |routes| Router::new(routes).err().unwrap().to_string();
        let twice = error(vec![route(Method::GET, "/a"), route(Method::GET, "/a")]);
        assert_eq!(twice, "GET /a is routed twice");
        let ambiguous = error(vec![route(Method::GET, "/{a}"), route(Method::GET, "/{b}")]);
        assert_eq!(ambiguous, "path /{b} cannot be routed");
    }
}
