//! What every role may do, written down from section 3 of the contract and not from the policy's own table.

use nexus_actors::domain::customer::Customer;
use nexus_actors::domain::inquiry::Inquiry;
use nexus_actors::domain::policy::{Action, Owned, Relation, Rule, allows, rule};
use nexus_actors::domain::response::Response;
use nexus_actors::domain::user::{Role, User};

/// How the caller stands to the object: a customer or an inquiry assigned to them, a response they wrote, or
/// themselves; someone else's; a response of someone else whose text they edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tie {
    Own,
    Foreign,
    Edited,
}

/// One endpoint with the status each role gets: one where there is no object, else one for each [`Tie`].
pub struct Row {
    pub endpoint: &'static str,
    pub action: Action,
    pub cso: &'static [u16],
    pub manager: &'static [u16],
    pub admin: &'static [u16],
}

#[rustfmt::skip]
pub const MATRIX: &[Row] = {
    use Action::*;
    const fn row(
        endpoint: &'static str, action: Action,
        cso: &'static [u16], manager: &'static [u16], admin: &'static [u16],
    ) -> Row {
        Row { endpoint, action, cso, manager, admin }
    }
    &[
        // Each cell: own, foreign, edited.                   CSO                manager            admin
        row("GET /customers",               ReadCustomer,     &[200],            &[200],            &[200]),
        row("POST /customers",              WriteCustomer,    &[403],            &[403],            &[201]),
        row("GET /customers/{id}",          ReadCustomer,     &[200, 404],       &[200, 200],       &[200, 200]),
        row("PUT /customers/{id}",          WriteCustomer,    &[403, 404],       &[403, 403],       &[200, 200]),
        row("DELETE /customers/{id}",       WriteCustomer,    &[403, 404],       &[403, 403],       &[204, 204]),
        row("POST /customers/{id}/assign",  AssignCustomer,   &[403, 404],       &[200, 200],       &[200, 200]),

        row("GET /inquiries",               ReadInquiry,      &[200],            &[200],            &[200]),
        row("POST /inquiries",              WriteInquiry,     &[201],            &[403],            &[201]),
        row("GET /inquiries/{id}",          ReadInquiry,      &[200, 200],       &[200, 200],       &[200, 200]),
        row("GET /inquiries/{id}/messages", ReadInquiry,      &[200, 200],       &[200, 200],       &[200, 200]),
        row("GET /inquiries/{id}/assignments", ReadInquiry,   &[200, 200],       &[200, 200],       &[200, 200]),
        row("PUT /inquiries/{id}",          WriteInquiry,     &[200, 200],       &[403, 403],       &[200, 200]),
        row("PATCH /inquiries/{id}/status", WriteInquiry,     &[200, 200],       &[403, 403],       &[200, 200]),
        row("POST /inquiries/{id}/assign",  AssignInquiry,    &[403, 403],       &[200, 200],       &[200, 200]),

        row("GET /responses",               ReadResponse,     &[200],            &[200],            &[200]),
        row("POST /responses",              CreateResponse,   &[201],            &[403],            &[201]),
        row("GET /responses/{id}",          ReadResponse,     &[200, 404, 404],  &[200, 200, 200],  &[200, 200, 200]),
        row("GET /responses/{id}/history",  ReadResponse,     &[200, 404, 404],  &[200, 200, 200],  &[200, 200, 200]),
        row("PUT /responses/{id}",          EditResponse,     &[200, 404, 404],  &[403, 403, 403],  &[200, 200, 200]),
        row("POST /responses/{id}/submit",  SubmitResponse,   &[200, 404, 404],  &[403, 403, 403],  &[200, 200, 200]),
        row("POST /responses/{id}/withdraw", WithdrawResponse, &[200, 404, 404], &[403, 403, 403],  &[200, 200, 200]),
        row("POST /responses/{id}/approve", DecideResponse,   &[403, 404, 404],  &[403, 200, 403],  &[403, 200, 403]),
        row("POST /responses/{id}/reject",  DecideResponse,   &[403, 404, 404],  &[403, 200, 403],  &[403, 200, 403]),

        row("POST /approval-policies/explain", ExplainPolicies, &[403],          &[200],            &[200]),

        row("POST /auth/register",          WriteUsers,       &[403],            &[403],            &[201]),
        row("GET /users",                   ReadUsers,        &[403],            &[200],            &[200]),
        row("GET /users/{id}",              ReadUsers,        &[403, 403],       &[200, 200],       &[200, 200]),
        row("PATCH /users/{id}",            WriteUsers,       &[403, 403],       &[403, 403],       &[200, 200]),
        row("DELETE /users/{id}/totp",      WriteUsers,       &[403, 403],       &[403, 403],       &[409, 204]),
        row("GET /audit",                   ReadAudit,        &[403],            &[200],            &[200]),
        row("GET /stats",                   ReadStats,        &[200],            &[200],            &[200]),
        row("GET /stats/daily",             ReadStats,        &[200],            &[200],            &[200]),

        row("GET /api-keys",                ManageApiKeys,    &[403],            &[403],            &[200]),
        row("POST /api-keys",               ManageApiKeys,    &[403],            &[403],            &[201]),
        row("DELETE /api-keys/{id}",        ManageApiKeys,    &[403, 403],       &[403, 403],       &[204, 204]),
        row("POST /inbound/{channel}",      UseGateway,       &[403],            &[403],            &[201]),
        row("GET /deliveries",              UseGateway,       &[403],            &[403],            &[200]),
        row("POST /deliveries/{id}/confirm", UseGateway,      &[403, 403],       &[403, 403],       &[200, 200]),
        row("POST /deliveries/{id}/fail",   UseGateway,       &[403, 403],       &[403, 403],       &[200, 200]),
        row("GET /dead-letters",            ManageDeadLetters, &[403],           &[403],            &[200]),
        row("GET /dead-letters/{id}",       ManageDeadLetters, &[403, 403],      &[403, 403],       &[200, 200]),
        row("POST /dead-letters/{id}/replay", ManageDeadLetters, &[403, 403],    &[403, 403],       &[200, 200]),
        row("POST /dead-letters/{id}/discard", ManageDeadLetters, &[403, 403],   &[403, 403],       &[200, 200]),
        row("GET /webhooks",                ManageWebhooks,   &[403],            &[403],            &[200]),
        row("POST /webhooks",               ManageWebhooks,   &[403],            &[403],            &[201]),
        row("GET /webhooks/{id}",           ManageWebhooks,   &[403, 403],       &[403, 403],       &[200, 200]),
        row("PATCH /webhooks/{id}",         ManageWebhooks,   &[403, 403],       &[403, 403],       &[200, 200]),
        row("DELETE /webhooks/{id}",        ManageWebhooks,   &[403, 403],       &[403, 403],       &[204, 204]),
        row("POST /webhooks/{id}/rotate",   ManageWebhooks,   &[403, 403],       &[403, 403],       &[200, 200]),
        row("GET /webhooks/{id}/attempts",  ManageWebhooks,   &[403, 403],       &[403, 403],       &[200, 200]),
        row("POST /webhooks/{id}/attempts/{attemptId}/replay", ManageWebhooks, &[403, 403], &[403, 403], &[202, 202]),
    ]
};

/// For every signed-in user, and about nobody but themselves.
pub const SELF_SERVICE: &[&str] = &[
    "GET /auth/profile",
    "POST /auth/logout",
    "POST /auth/ticket",
    "GET /auth/totp",
    "POST /auth/totp",
    "POST /auth/totp/confirm",
    "POST /auth/totp/recovery-codes",
    "POST /auth/totp/disable",
    "PUT /auth/profile",
    "GET /events",
    "GET /ws",
    "GET /notifications",
    "POST /notifications/read-all",
    "POST /notifications/{id}/read",
];

/// For everyone.
pub const PUBLIC: &[&str] = &[
    "GET //health",
    "GET //health/live",
    "GET //health/ready",
    "GET //metrics",
    "POST /auth/login",
    "POST /auth/refresh",
];

impl Row {
    /// With `None` where the endpoint is about no object that exists.
    pub fn cells(&self, role: Role) -> Vec<(Option<Tie>, u16)> {
        let statuses = match role {
            Role::Cso => self.cso,
            Role::Manager => self.manager,
            Role::Admin => self.admin,
        };
        match statuses {
            [status] => vec![(None, *status)],
            _ => [Tie::Own, Tie::Foreign, Tie::Edited]
                .map(Some)
                .into_iter()
                .zip(statuses.iter().copied())
                .collect(),
        }
    }

    pub fn ties(&self) -> Vec<Tie> {
        self.cells(Role::Cso).into_iter().filter_map(|(tie, _)| tie).collect()
    }

    pub fn method(&self) -> &'static str {
        self.endpoint.split(' ').next().unwrap()
    }

    /// The same cell as the policy's table has it.
    pub fn by_policy(&self, role: Role, tie: Option<Tie>) -> u16 {
        let relation = tie.map_or_else(Relation::default, Tie::relation);
        let allowed = match (tie, self.method()) {
            // A list is open to whoever may read some of it, and is cut to that.
            (None, "GET") => rule(role, self.action) != Rule::Never,
            _ => allows(role, self.action, relation),
        };
        // Whoever may not read any object of a kind has none hidden from them.
        let hidden =
            tie.is_some() && rule(role, self.read()) != Rule::Never && !allows(role, self.read(), relation);
        match (hidden, allowed) {
            (true, _) => 404,
            (false, false) => 403,
            (false, true) => self.success(tie),
        }
    }

    /// The status of an id that does not exist. Who may read no object of a kind at all is told so.
    pub fn of_missing(&self, role: Role) -> u16 {
        match (self.collection(), role) {
            ("users", Role::Cso) => 403,
            ("api-keys" | "dead-letters" | "deliveries" | "webhooks", Role::Cso | Role::Manager) => 403,
            _ => 404,
        }
    }

    pub fn collection(&self) -> &'static str {
        self.endpoint.split('/').nth(1).unwrap()
    }

    fn success(&self, tie: Option<Tie>) -> u16 {
        match (self.method(), tie) {
            // It makes nothing.
            ("POST", None) if self.endpoint.ends_with("/explain") => 200,
            ("POST", None) => 201,
            // A webhook is called later.
            ("POST", Some(_)) if self.endpoint.ends_with("{attemptId}/replay") => 202,
            // Nobody takes their own off but with a code of it.
            ("DELETE", Some(Tie::Own)) if self.endpoint.ends_with("/totp") => 409,
            ("DELETE", _) => 204,
            _ => 200,
        }
    }

    /// What makes the object visible.
    fn read(&self) -> Action {
        match self.collection() {
            "customers" => Customer::READ,
            "inquiries" => Inquiry::READ,
            "responses" => Response::READ,
            "users" => User::READ,
            _ => self.action,
        }
    }
}

impl Tie {
    fn relation(self) -> Relation {
        match self {
            Self::Own => Relation { owns: true, wrote: true },
            Self::Foreign => Relation { owns: false, wrote: false },
            Self::Edited => Relation { owns: false, wrote: true },
        }
    }
}
