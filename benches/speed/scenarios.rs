//! What is asked of the hub, and what PostgreSQL is asked beside it.

use crate::data::{CSOS, CUSTOMER, CUSTOMERS, INQUIRIES, INQUIRY};
use crate::rig::hub::PASSWORD;

/// Whose tokens a script is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Managers,
    Csos,
    CsosAndManagers,
}

pub struct Scenario {
    pub name: &'static str,
    script: &'static str,
    path: &'static str,
    pub who: Who,
    /// The same statements, for pgbench: its name and its script.
    pub ceiling: Option<(&'static str, &'static str)>,
    /// What was cached is forgotten before each run.
    pub uncached: bool,
    /// Counted by flows of several requests.
    pub flows: bool,
}

impl Scenario {
    const fn get(name: &'static str, script: &'static str, path: &'static str) -> Self {
        let ceiling = Some(("select", include_str!("pgbench/select.sql")));
        Self { name, script, path, who: Who::Managers, ceiling, uncached: false, flows: false }
    }

    const fn list(name: &'static str, path: &'static str) -> Self {
        Self { ceiling: None, ..Self::get(name, include_str!("wrk/list.lua"), path) }
    }

    pub fn script(&self, scale: usize) -> String {
        self.script
            .replace("$CUSTOMERS", &(CUSTOMERS * scale).to_string())
            .replace("$CUSTOMER", CUSTOMER)
            .replace("$INQUIRIES", &(INQUIRIES * scale).to_string())
            .replace("$INQUIRY", INQUIRY)
            .replace("$CSOS", &CSOS.to_string())
            .replace("$PASSWORD", PASSWORD)
            .replace("$PATH", self.path)
    }
}

pub const SCENARIOS: &[Scenario] = &[
    Scenario { uncached: true, ..Scenario::get("customer by id", include_str!("wrk/customer.lua"), "") },
    Scenario::get("customer by id, cached", include_str!("wrk/customer_cached.lua"), ""),
    Scenario::list("customers, page 1", "/api/v1/customers"),
    Scenario::list("customers, page 50", "/api/v1/customers?page=50"),
    Scenario::list("customers, filtered", "/api/v1/customers?status=suspended&sortBy=lastName&sortOrder=asc"),
    Scenario { ceiling: None, ..Scenario::get("customers, searched", include_str!("wrk/search.lua"), "") },
    Scenario::list("inquiries by status", "/api/v1/inquiries?status=pending,in_progress"),
    Scenario {
        who: Who::Csos,
        ceiling: Some(("the same transaction", include_str!("pgbench/create_inquiry.sql"))),
        ..Scenario::get("create inquiry", include_str!("wrk/create_inquiry.lua"), "")
    },
    Scenario {
        who: Who::CsosAndManagers,
        ceiling: Some(("the same transactions", include_str!("pgbench/approval_flow.sql"))),
        flows: true,
        ..Scenario::get("approval flow", include_str!("wrk/approval_flow.lua"), "")
    },
];

/// Sends sign-ins.
pub const SIGN_IN: Scenario = Scenario::get("sign-in", include_str!("wrk/sign_in.lua"), "");
