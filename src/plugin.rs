//! The trait that authors of in-process plugins implement.
