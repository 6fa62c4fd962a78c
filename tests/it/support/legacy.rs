//! Sessions as clients before revision 2026-07-28 have them.

use serde_json::{Value, json};

use crate::support::{Answer, Request, TestGateway};

/// A session over HTTP.
#[derive(Clone)]
pub(crate) struct LegacySession {
    pub(crate) id: String,
    version: String,
    token: Option<String>,
}

impl LegacySession {
    /// The request that opens a session.
    pub(crate) fn initialize(version: &str) -> Request {
        Self::initialize_with(version, json!({}))
    }

    fn initialize_with(version: &str, capabilities: Value) -> Request {
        let params = initialize_params(version, capabilities);
        Request::message(message(0, "initialize", params).to_string())
    }

    /// Opens a session of the newest revision.
    pub(crate) async fn open(gateway: &TestGateway) -> Self {
        Self::open_as(gateway, "2025-11-25", None).await
    }

    pub(crate) async fn open_as(gateway: &TestGateway, version: &str, token: Option<&str>) -> Self {
        Self::open_with(gateway, version, token, json!({})).await
    }

    /// Opens a session of a client that can be asked.
    pub(crate) async fn open_able(gateway: &TestGateway, version: &str) -> Self {
        Self::open_with(gateway, version, None, able()).await
    }

    pub(crate) async fn open_with(
        gateway: &TestGateway,
        version: &str,
        token: Option<&str>,
        capabilities: Value,
    ) -> Self {
        let mut request = Self::initialize_with(version, capabilities);
        if let Some(token) = token {
            request = request.token(token);
        }
        let answer = gateway.send(&request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["result"]["protocolVersion"], version);
        let id = answer.header("mcp-session-id").to_owned();
        let session = Self {
            id,
            version: version.to_owned(),
            token: token.map(str::to_owned),
        };
        let told = session.notification("notifications/initialized", json!({}));
        assert_eq!(gateway.send(&told).await.status, 202);
        session
    }

    /// Puts the headers of the session on a request.
    pub(crate) fn of(&self, request: Request) -> Request {
        let request = request.header("mcp-session-id", &self.id);
        let request = match self.version.as_str() {
            // That revision knows no such header.
            "2025-03-26" => request,
            version => request.header("mcp-protocol-version", version),
        };
        match &self.token {
            Some(token) => request.token(token),
            None => request,
        }
    }

    pub(crate) fn request(&self, id: impl Into<Value>, method: &str, params: Value) -> Request {
        self.of(Request::message(message(id, method, params).to_string()))
    }

    pub(crate) fn notification(&self, method: &str, params: Value) -> Request {
        let text = json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string();
        self.of(Request::message(text))
    }

    pub(crate) fn call(&self, id: impl Into<Value>, tool: &str, arguments: Value) -> Request {
        self.request(
            id,
            "tools/call",
            json!({ "name": tool, "arguments": arguments }),
        )
    }

    /// The request that opens its standalone stream.
    pub(crate) fn get(&self) -> Request {
        self.of(Request::new("GET", "/mcp").header("accept", "text/event-stream"))
    }

    /// The request that goes on with a stream.
    pub(crate) fn resume(&self, last_event: &str) -> Request {
        self.get().header("last-event-id", last_event)
    }

    /// An answer to a question of the gateway.
    pub(crate) fn answer(&self, id: &Value, result: Value) -> Request {
        let text = json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string();
        self.of(Request::message(text))
    }

    pub(crate) async fn delete(&self, gateway: &TestGateway) -> Answer {
        gateway.send(&self.of(Request::new("DELETE", "/mcp"))).await
    }
}

/// The capabilities of a client that can be asked everything.
pub(crate) fn able() -> Value {
    json!({ "elicitation": {}, "sampling": {}, "roots": {} })
}

pub(crate) fn initialize_params(version: &str, capabilities: Value) -> Value {
    json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": { "name": "test", "version": "1" } })
}

pub(crate) fn message(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}
