//! What somebody wants changed who may change it: an order, read and checked before anything is done.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use http::Response;

use crate::control::Control;
use crate::control::error::ControlError;
use crate::front::admin::answer::failed;
use crate::front::admin::query::{Target, read_body};
use crate::front::admin::{Refused, answer, sees};
use crate::front::http::HttpFront;
use crate::front::http::body::Body;
use crate::front::http::mcp::busy;
use crate::front::http::routes::Front;
use crate::front::scope::need;
use crate::model::caller::{ADMIN, Caller};
use crate::wire::json::Json;

/// An order of somebody with the scope for it. An empty body is as good as `{}`; what a page of another site can send
/// without asking is refused.
pub(in crate::front) struct Order {
    pub(in crate::front) front: Arc<HttpFront>,
    pub(in crate::front) caller: Arc<Caller>,
    pub(in crate::front) body: Json,
}

impl FromRequest<Front> for Order {
    type Rejection = Response<Body>;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Self::Rejection> {
        let front = front.upgrade().expect("a front outlives its requests");
        let (parts, body) = request.into_parts();
        let caller = parts.extensions.get::<Arc<Caller>>();
        let caller = Arc::clone(caller.expect("only who is known comes this far"));
        need(&caller, ADMIN).map_err(|refused| *refused)?;
        let read = read_body(&front, &parts.headers, body).await;
        Ok(Self {
            body: read.map_err(|refused| *refused)?,
            front,
            caller,
        })
    }
}

impl Order {
    /// Who gives the order, by which front, and what it says.
    pub(in crate::front) fn into_parts(self) -> (Arc<HttpFront>, Arc<Caller>, Json) {
        (self.front, self.caller, self.body)
    }

    /// Does something with the plugin that the body names.
    pub(super) async fn about_a_plugin<T, W>(
        self,
        work: impl FnOnce(Arc<Control>, Target) -> W,
    ) -> Response<Body>
    where
        W: Future<Output = Result<T, ControlError>> + Send + 'static,
        T: serde::Serialize + Send + 'static,
    {
        let target = match Target::of(&self.body) {
            Ok(target) => target,
            Err(refused) => return *refused,
        };
        if !sees(&self.caller, &target.id) {
            return failed(&ControlError::not_found(&target.id));
        }
        self.carry_out(|control| work(control, target)).await
    }

    /// Does something to its end, also when the caller goes away meanwhile.
    pub(super) async fn carry_out<T, W>(
        self,
        work: impl FnOnce(Arc<Control>) -> W,
    ) -> Response<Body>
    where
        W: Future<Output = Result<T, ControlError>> + Send + 'static,
        T: serde::Serialize + Send + 'static,
    {
        match self.finish(work).await {
            Ok(done) => answer(done),
            Err(refused) => *refused,
        }
    }

    /// The same, for who has an answer of another form.
    pub(in crate::front) async fn finish<T, W>(
        self,
        work: impl FnOnce(Arc<Control>) -> W,
    ) -> Result<Result<T, ControlError>, Refused>
    where
        W: Future<Output = Result<T, ControlError>> + Send + 'static,
        T: Send + 'static,
    {
        let Some(active) = self.front.enter() else {
            return Err(Box::new(busy("the gateway is stopping")));
        };
        let work = work(Arc::clone(&self.front.desk.control));
        let work = self.front.desk.supervisor.spawn_request(async move {
            let _active = active;
            work.await
        });
        let failed = |_| Err(ControlError::failed("it was not done to its end"));
        Ok(work.await.unwrap_or_else(failed))
    }
}
