//! Who works at the demo's support desk.

use nexus_actors::domain::Principal;
use nexus_actors::domain::user::{Availability, NewUser, Role, User, UserPatch};
use nexus_actors::user_desk::{ChangeProfile, ChangeUser, CreateUser};
use nexus_actors::{Hub, HubResult, new_id};

use super::play::caller;
use super::topics::TECHNICAL;
use crate::bootstrap;
use crate::sessions::Passwords;

/// Someone of the desk, and as whom they act.
#[derive(Clone, Debug)]
pub struct Member {
    pub user: User,
    pub principal: Principal,
}

#[derive(Debug)]
pub struct Staff {
    pub admin: Member,
    pub managers: Vec<Member>,
    pub csos: Vec<Member>,
}

struct Cso {
    first_name: &'static str,
    last_name: &'static str,
    skills: &'static [&'static str],
    max_open_inquiries: i64,
}

const ADMIN: (&str, &str) = ("Helena", "Brandt");

const MANAGERS: [(&str, &str); 2] = [("Samuel", "Osei"), ("Laura", "Vitale")];

const CSOS: [Cso; 6] = [
    Cso {
        first_name: "Mei",
        last_name: "Tanaka",
        // Nobody else has it: when Mei is away, technical inquiries wait.
        skills: &[TECHNICAL],
        max_open_inquiries: 20,
    },
    Cso { first_name: "Jonas", last_name: "Weber", skills: &["shipping", "returns"], max_open_inquiries: 16 },
    Cso { first_name: "Priya", last_name: "Nair", skills: &["billing", "general"], max_open_inquiries: 14 },
    Cso {
        first_name: "Diego",
        last_name: "Fuentes",
        skills: &["general", "shipping"],
        max_open_inquiries: 12,
    },
    Cso { first_name: "Amara", last_name: "Okafor", skills: &["billing", "returns"], max_open_inquiries: 12 },
    Cso {
        first_name: "Chloé",
        last_name: "Marchand",
        skills: &["general", "returns", "shipping"],
        max_open_inquiries: 6,
    },
];

/// The CSO, as an index, who goes away near the end of the story.
pub const GOES_AWAY: usize = 0;
pub const CSO_COUNT: usize = CSOS.len();

impl Staff {
    /// Everyone, with the same password.
    pub async fn hire(hub: &Hub, password: &str) -> HubResult<Self> {
        let passwords = Passwords::new(1);
        let hire = async |by: Option<&Member>, role, (first_name, last_name)| {
            let user = bootstrap::checked(applicant(role, first_name, last_name, password))?;
            let password_hash = passwords.hash(password.to_owned()).await?;
            let caller = by.map(caller);
            let user = hub.user_desk.ask(CreateUser { caller, user, password_hash }).await?;
            HubResult::Ok(Member::new(user))
        };
        let admin = hire(None, Role::Admin, ADMIN).await?;
        let mut managers = Vec::new();
        for name in MANAGERS {
            managers.push(hire(Some(&admin), Role::Manager, name).await?);
        }
        let mut csos = Vec::new();
        for cso in &CSOS {
            let member = hire(Some(&admin), Role::Cso, (cso.first_name, cso.last_name)).await?;
            let patch = UserPatch {
                max_open_inquiries: Some(cso.max_open_inquiries),
                skills: Some(cso.skills.iter().map(|&skill| skill.to_owned()).collect()),
                ..UserPatch::default()
            };
            let change = ChangeUser { caller: caller(&admin), id: member.user.id, patch: patch.validate()? };
            let user = hub.user_desk.ask(change).await?;
            csos.push(Member { user, ..member });
        }
        Ok(Self { admin, managers, csos })
    }

    pub fn everyone(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.admin).chain(&self.managers).chain(&self.csos)
    }
}

impl Member {
    fn new(user: User) -> Self {
        let principal = Principal { user_id: user.id, role: user.role, session_id: new_id() };
        Self { user, principal }
    }

    pub fn name(&self) -> String {
        format!("{} {}", self.user.first_name, self.user.last_name)
    }

    pub async fn go_away(&mut self, hub: &Hub) -> HubResult<()> {
        let change = ChangeProfile {
            caller: caller(self),
            first_name: None,
            last_name: None,
            availability: Some(Availability::Away),
            new_password_hash: None,
        };
        self.user = hub.user_desk.ask(change).await?;
        Ok(())
    }
}

fn applicant(role: Role, first_name: &str, last_name: &str, password: &str) -> NewUser {
    // Addresses keep to ASCII, so that they can be typed anywhere.
    let local = format!("{first_name}.{last_name}").to_lowercase().replace('é', "e");
    NewUser {
        // No mail server will ever have this domain (RFC 2606).
        email: format!("{local}@nexus-demo.example"),
        password: password.to_owned(),
        role,
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
    }
}
