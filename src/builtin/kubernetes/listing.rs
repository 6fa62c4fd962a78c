//! Lists of objects: page by page, namespace by namespace, with nothing of namespaces that are not allowed.

use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ListMeta, ObjectMeta};
use kube::Resource;
use kube::api::ListParams;
use kube::core::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::places::Scope;
use crate::builtin::kubernetes::refusal::{Deed, Refusal};

/// Objects of one page.
const PAGE: u32 = 500;

/// The most objects that are read for one list.
const MAX_READ: usize = 5_000;

/// The most pages that are read of one place, in case there is little or nothing in them.
pub(super) const MAX_PAGES: usize = 100;

/// What can be listed.
pub(super) trait Kind: DeserializeOwned {
    /// In the words of roles.
    const RESOURCE: &'static str;

    /// Where they are; all of them for `None`.
    fn path(namespace: Option<&str>) -> String;

    fn metadata(&self) -> &ObjectMeta;
}

/// Objects that were found.
#[derive(Debug)]
pub(super) struct Found<K> {
    pub(super) items: Vec<K>,
    /// Whether there are more than were read.
    pub(super) more: bool,
}

/// A page, as the API server writes it.
#[derive(Deserialize)]
#[serde(bound = "K: DeserializeOwned")]
pub(super) struct Page<K> {
    pub(super) metadata: ListMeta,
    #[serde(default = "Vec::new")]
    pub(super) items: Vec<K>,
}

impl Kind for Pod {
    const RESOURCE: &'static str = "pods";

    fn path(namespace: Option<&str>) -> String {
        Self::url_path(&(), namespace)
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
}

impl Kind for Event {
    const RESOURCE: &'static str = "events";

    fn path(namespace: Option<&str>) -> String {
        Self::url_path(&(), namespace)
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
}

impl Cluster {
    /// Lists what `query` finds there, at most 5,000 objects, and 100 pages of each place.
    pub(super) async fn list<K: Kind>(
        &self,
        scope: &Scope,
        query: &ListParams,
    ) -> Result<Found<K>, Refusal> {
        let mut found = Found {
            items: Vec::new(),
            more: false,
        };
        match scope {
            Scope::Each(namespaces) => {
                for namespace in namespaces {
                    self.gather(Some(namespace), query, &mut found).await?;
                }
            }
            Scope::Cluster => self.gather(None, query, &mut found).await?,
        }
        // What lies elsewhere is nobody's business, whatever the answers hold.
        found.items.retain(|item: &K| {
            let namespace = item.metadata().namespace.as_deref();
            namespace.is_some_and(|namespace| self.namespaces.allows(namespace))
        });
        Ok(found)
    }

    /// Reads the pages of one place, as far as there is room.
    async fn gather<K: Kind>(
        &self,
        namespace: Option<&str>,
        query: &ListParams,
        found: &mut Found<K>,
    ) -> Result<(), Refusal> {
        let begun = found.items.len();
        let mut begun_again = false;
        let mut next = None;
        for _ in 0..MAX_PAGES {
            if found.items.len() >= MAX_READ {
                break;
            }
            let page = match self.page::<K>(namespace, query, next).await {
                // The rest of a list is kept for minutes only: once more from the start.
                Err(refusal) if refusal.is_gone() && !begun_again => {
                    begun_again = true;
                    found.items.truncate(begun);
                    next = None;
                    continue;
                }
                page => page?,
            };
            found.items.extend(page.items);
            next = page.metadata.continue_.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(());
            }
        }
        found.more = true;
        Ok(())
    }

    /// Reads one page.
    pub(super) async fn page<K: Kind>(
        &self,
        namespace: Option<&str>,
        query: &ListParams,
        next: Option<String>,
    ) -> Result<Page<K>, Refusal> {
        let mut deed = Deed::new("list", K::RESOURCE);
        deed.namespace = namespace.map(str::to_owned);
        let query = ListParams {
            limit: Some(PAGE),
            continue_token: next,
            ..query.clone()
        };
        let request = Request::new(K::path(namespace)).list(&query);
        self.ask(&deed, request).await
    }
}
