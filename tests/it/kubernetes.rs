//! The plugin `kubernetes` against an API server that stands in for one: what it asks, to the letter, and what it makes of
//! the answers. F2–F11

mod agreed;

mod api;

mod looks;

mod mends;

mod refusals;

mod rollbacks;

mod rules;

mod waits;

/// Where pods of the namespace `shop` are.
const PODS: &str = "/api/v1/namespaces/shop/pods";

/// The pod in the objects.
const POD: &str = "/api/v1/namespaces/shop/pods/web-6d4b75cb6d-x2x4z";

/// Its uid.
const UID: &str = "0c1f9a52-6a4e-4b7e-9a63-0d6d2f1a1c01";

/// Where deployments of the namespace `shop` are.
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/shop/deployments";

/// Where its replica sets are.
const REPLICA_SETS: &str = "/apis/apps/v1/namespaces/shop/replicasets";

/// A page of a list.
const LIMIT: (&str, &str) = ("limit", "500");
