//! Subscriptions: a snapshot without a gap, then every change the subscriber may see, read from the log.

use crate::{Limits, Project};

/// Groups and connections of a project.
pub struct Hub {}

impl Hub {
    /// An empty hub.
    pub fn new(limits: Limits) -> Self {
        let _ = limits;
        unimplemented!()
    }

    /// Rules or schema changed: every group is asked anew.
    pub fn schema_changed(&self, project: &Project) {
        let _ = project;
        unimplemented!()
    }

    /// Tells every connection to go elsewhere and takes no more.
    pub fn close(&self) {
        unimplemented!()
    }
}
