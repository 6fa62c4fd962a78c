//! The user of a client who is asked whether a call may be made.

use serde_json::{Value, json};

use crate::support::{Connection, LegacySession, Request, TestGateway};

/// A call that waits for its user.
pub(crate) struct Question {
    session: LegacySession,
    connection: Connection,
    id: Value,
    /// What the user is asked.
    pub(crate) text: String,
}

impl Question {
    /// Calls a tool for which the user must be asked.
    pub(crate) async fn of(gateway: &TestGateway, tool: &str, arguments: Value) -> Self {
        let session = LegacySession::open_able(gateway, "2025-11-25").await;
        let mut connection = gateway.connect().await;
        let call = session.call(5, tool, arguments);
        assert!(connection.begin(&call).await.is_stream(), "{tool}");
        let asked = connection.event().await.expect("a question");
        assert_eq!(asked["method"], "elicitation/create", "{tool}");
        let text = asked["params"]["message"].as_str().expect("a text");
        Self {
            text: text.to_owned(),
            id: asked["id"].clone(),
            session,
            connection,
        }
    }

    /// What comes of the call when the user agrees.
    pub(crate) async fn yes(mut self, gateway: &TestGateway) -> Value {
        let said = json!({ "action": "accept", "content": { "approve": true } });
        gateway.send(&self.session.answer(&self.id, said)).await;
        let answer = self.connection.event().await.expect("the answer");
        self.session.delete(gateway).await;
        answer["result"].clone()
    }
}

/// The approvals that wait for somebody.
pub(crate) async fn pending(gateway: &TestGateway) -> Vec<Value> {
    let list = Request::new("GET", "/api/approvals?status=pending");
    let list = gateway.send(&list).await.json();
    list["approvals"].as_array().expect("a list").clone()
}
