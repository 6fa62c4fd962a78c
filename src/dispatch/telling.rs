//! What a client tells, and to which plugins that goes: to those that have instances for its session alone.

use std::sync::Arc;

use crate::dispatch::Dispatcher;
use crate::runtime::{CallContext, Instance, Request};
use crate::session::Session;
use crate::wire::message::Params;
use crate::wire::method::Method;

impl Dispatcher {
    /// Passes on what the client of `session` tells: that its roots are others now, and the like.
    pub async fn tell(&self, session: &Arc<Session>, method: &Method, params: &Params) {
        let own = self.own_instances(session);
        let tellings = own
            .iter()
            .map(|instance| instance.tell(method, params.clone()));
        futures::future::join_all(tellings).await;
    }

    /// Tells the plugins from which level on the session's client wants log messages from now on. Others hear of it with
    /// its next call.
    pub async fn set_level(&self, params: &Params, context: &CallContext) {
        let Some(session) = &context.session else {
            return;
        };
        let own = self.own_instances(session);
        let settings = own.iter().map(|instance| {
            let request = Request {
                method: Method::SetLevel,
                params: params.clone(),
            };
            instance.request(request, context)
        });
        futures::future::join_all(settings).await;
    }

    fn own_instances(&self, session: &Arc<Session>) -> Vec<Arc<dyn Instance>> {
        let plugins = self.registry.plugins();
        plugins
            .iter()
            .filter_map(|plugin| plugin.pool.own(session))
            .collect()
    }
}
