//! What a database must be able to do: run statements in one transaction, and answer a query. Statements are the same for
//! all of them: placeholders are `?`, in the order of the values, which are whole numbers and texts.

use std::borrow::Cow;

use async_trait::async_trait;

/// A database.
#[async_trait]
pub(super) trait Engine: Send + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Runs all of them or none. Says how many rows each has changed.
    async fn run(&self, statements: Vec<Statement>) -> Result<Vec<u64>, StoreError>;

    /// The rows of a query.
    async fn query(&self, statement: Statement) -> Result<Vec<Row>, StoreError>;

    /// How many bytes are in use.
    async fn bytes(&self) -> Result<u64, StoreError>;

    /// Whether bytes are free again once rows are deleted, so that it can be kept below a bound.
    fn can_shrink(&self) -> bool;

    /// Lets go of it, after what is being done.
    async fn close(&self);
}

/// The database did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// A statement with its values.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
}

/// A value on its way in or out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
}

/// A row that was found; its values are taken in order.
#[derive(Debug)]
pub(super) struct Row(std::vec::IntoIter<Value>);

impl Statement {
    pub(super) fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self {
            sql: sql.into(),
            values: Vec::new(),
        }
    }

    #[must_use]
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Binds a value and writes its placeholder behind `sql`.
    pub(super) fn push(&mut self, sql: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        let text = self.sql.to_mut();
        text.push_str(sql);
        text.push('?');
    }

    /// Writes on.
    pub(super) fn say(&mut self, sql: &str) {
        self.sql.to_mut().push_str(sql);
    }
}

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    /// The next value, a number that is there.
    pub(super) fn number(&mut self) -> u64 {
        self.maybe_number().unwrap_or(0)
    }

    pub(super) fn maybe_number(&mut self) -> Option<u64> {
        match self.0.next() {
            Some(Value::Int(Some(number))) => u64::try_from(number).ok(),
            _ => None,
        }
    }

    pub(super) fn text(&mut self) -> String {
        self.maybe_text().unwrap_or_default()
    }

    pub(super) fn maybe_text(&mut self) -> Option<String> {
        match self.0.next() {
            Some(Value::Text(text)) => text,
            _ => None,
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(Some(number.into()))
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Int(Some(yes.into()))
    }
}

impl From<Option<u64>> for Value {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Int(None), Self::from)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}
