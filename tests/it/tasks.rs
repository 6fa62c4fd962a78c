//! Slow calls that go on as tasks, and tasks of plugins that know them.

mod client;

mod life;

mod legacy;

mod listen;

mod offered;

mod pipe;

mod upstream;
