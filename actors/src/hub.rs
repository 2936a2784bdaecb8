//! Starts the actor tree from the bottom up, holds its mailboxes, and shuts it down from the top.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{self, Instant};

use crate::api_key_desk::ApiKeyDesk;
use crate::approval_coordinator::{ApprovalCoordinator, ApprovalTimers};
use crate::approval_watch::ApprovalWatch;
use crate::assignment_balancer::{AssignmentBalancer, Balance};
use crate::audit_sealer::AuditSealer;
use crate::clock::Clock;
use crate::customer_desk::CustomerDesk;
use crate::dead_letter_desk::DeadLetterDesk;
use crate::delivery_dispatcher::{DeliveryDispatcher, Dispatch, EMAIL, Route};
use crate::digest_mailer::{DigestMailer, Mailing};
use crate::domain::approval_policy::ApprovalPolicy;
use crate::domain::delivery::RetryRule;
use crate::domain::user::Role;
use crate::domain::webhook::WebhookRule;
use crate::housekeeper::Housekeeper;
use crate::inquiry_desk::InquiryDesk;
use crate::intake_desk::IntakeDesk;
use crate::mailbox::Mailbox;
use crate::measures::MailboxMeasures;
use crate::notifier::{Lines, Notifier, Pushing};
use crate::outbox_relay::{OutboxRelay, Passing};
use crate::port::Ports;
use crate::store::api_keys::ApiKeyStore;
use crate::store::audit::AuditStore;
use crate::store::customers::CustomerStore;
use crate::store::dead_letters::DeadLetterStore;
use crate::store::deliveries::{Channels, DeliveryStore};
use crate::store::idempotency::IdempotencyStore;
use crate::store::inquiries::InquiryStore;
use crate::store::intake::IntakeStore;
use crate::store::notifications::NotificationStore;
use crate::store::outbox::OutboxStore;
use crate::store::responses::ResponseStore;
use crate::store::sessions::SessionStore;
use crate::store::stats::StatsStore;
use crate::store::tickets::TicketStore;
use crate::store::users::UserStore;
use crate::store::webhooks::WebhookStore;
use crate::store::{Storage, Writer};
use crate::supervision::{ActorHealth, Supervision};
use crate::user_desk::UserDesk;
use crate::webhook_desk::WebhookDesk;
use crate::webhook_dispatcher::{Calling, WebhookDispatcher};

#[cfg(feature = "fault-injection")]
mod faults;
mod threads;

use threads::Threads;

/// For closing the database when the actors have used up all the time.
const CLOSING: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub struct HubSettings {
    /// Threads the actors share.
    pub threads: usize,
    /// How many messages an actor has under way at most; the next is refused.
    pub mailbox_capacity: u32,
    /// How failed deliveries are tried again.
    pub retry: RetryRule,
    pub webhooks: WebhookRule,
    pub timers: ApprovalTimers,
    /// Between two digests to one person, at least; zero for none at all.
    pub digest_every: Duration,
    /// The first that matches a response applies to it.
    pub policies: Arc<[ApprovalPolicy]>,
    /// Whose work takes a second factor.
    pub totp_required_for: Arc<[Role]>,
    /// Whether what waits is handed out. Not beside a hub that serves from the same SQLite file: it would not notice.
    pub hands_out: bool,
    /// How long an assigned inquiry may wait to be taken up; zero for as long as it takes.
    pub accept_within: Duration,
    /// How often notifications are looked for without being told to.
    pub look_every: Duration,
}

/// The running hub without its edges.
#[derive(Clone)]
pub struct Hub {
    pub clock: Clock,
    pub storage: Storage,
    pub supervision: Supervision,
    pub customers: Mailbox<CustomerStore>,
    pub inquiries: Mailbox<InquiryStore>,
    pub responses: Mailbox<ResponseStore>,
    pub users: Mailbox<UserStore>,
    pub sessions: Mailbox<SessionStore>,
    pub audit: Mailbox<AuditStore>,
    pub stats: Mailbox<StatsStore>,
    pub idempotency: Mailbox<IdempotencyStore>,
    pub intake: Mailbox<IntakeStore>,
    pub deliveries: Mailbox<DeliveryStore>,
    pub dead_letters: Mailbox<DeadLetterStore>,
    pub outbox: Mailbox<OutboxStore>,
    pub notifications: Mailbox<NotificationStore>,
    pub tickets: Mailbox<TicketStore>,
    pub api_keys: Mailbox<ApiKeyStore>,
    pub webhooks: Mailbox<WebhookStore>,
    pub writer: Mailbox<Writer>,
    pub assignment_balancer: Mailbox<AssignmentBalancer>,
    pub customer_desk: Mailbox<CustomerDesk>,
    pub inquiry_desk: Mailbox<InquiryDesk>,
    pub approval_coordinator: Mailbox<ApprovalCoordinator>,
    pub approval_watch: Mailbox<ApprovalWatch>,
    pub user_desk: Mailbox<UserDesk>,
    pub intake_desk: Mailbox<IntakeDesk>,
    pub dead_letter_desk: Mailbox<DeadLetterDesk>,
    pub api_key_desk: Mailbox<ApiKeyDesk>,
    pub webhook_desk: Mailbox<WebhookDesk>,
    pub housekeeper: Mailbox<Housekeeper>,
    pub audit_sealer: Mailbox<AuditSealer>,
    pub notifier: Mailbox<Notifier>,
    /// Who is connected to the notifier.
    pub lines: Lines,
    /// Without ports there is none; likewise below.
    pub outbox_relay: Option<Mailbox<OutboxRelay>>,
    pub delivery_dispatcher: Option<Mailbox<DeliveryDispatcher>>,
    pub webhook_dispatcher: Option<Mailbox<WebhookDispatcher>>,
    /// Only where there is a mail server.
    pub mail_dispatcher: Option<Mailbox<DeliveryDispatcher>>,
    /// Likewise, and where digests are wanted.
    pub digest_mailer: Option<Mailbox<DigestMailer>>,
}

impl Hub {
    /// Must be called inside an actix system. What `ports` lead to has been started under the same supervision
    /// before, and so is stopped after the hub. Without ports, what is to be published waits for another hub.
    pub fn start(
        settings: HubSettings,
        supervision: Supervision,
        ports: Option<Ports>,
        storage: Storage,
        clock: Clock,
    ) -> Self {
        let threads = Threads::new(settings.threads);
        let capacity = settings.mailbox_capacity;
        let tracer = ports.as_ref().and_then(|ports| ports.tracer.clone());

        macro_rules! start {
            ($name:literal, $actor:expr) => {{
                let actor = $actor;
                Mailbox::start(&supervision, &threads.next(), $name, capacity, move |_| actor)
            }};
        }

        let customers = start!("CustomerStore", CustomerStore::new(storage.clone()));
        let inquiries = start!("InquiryStore", InquiryStore::new(storage.clone()));
        let responses = start!("ResponseStore", ResponseStore::new(storage.clone()));
        let users = start!("UserStore", UserStore::new(storage.clone()));
        let sessions = start!("SessionStore", SessionStore::new(storage.clone()));
        let audit = start!("AuditStore", AuditStore::new(storage.clone()));
        let stats = start!("StatsStore", StatsStore::new(storage.clone()));
        let idempotency = start!("IdempotencyStore", IdempotencyStore::new(storage.clone()));
        let intake = start!("IntakeStore", IntakeStore::new(storage.clone()));
        let deliveries = start!("DeliveryStore", DeliveryStore::new(storage.clone()));
        let api_keys = start!("ApiKeyStore", ApiKeyStore::new(storage.clone()));
        let webhooks = start!("WebhookStore", WebhookStore::new(storage.clone()));
        let dead_letters = start!("DeadLetterStore", DeadLetterStore::new(storage.clone()));
        let outbox = start!("OutboxStore", OutboxStore::new(storage.clone()));
        let notifications = start!("NotificationStore", NotificationStore::new(storage.clone()));
        let tickets = start!("TicketStore", TicketStore::new(storage.clone()));
        let outbox_relay = ports.as_ref().map(|ports| {
            let relay = Passing {
                outbox: outbox.clone(),
                broker: ports.broker.clone(),
                prepared: Arc::clone(&storage.prepared),
                filled: Arc::clone(&storage.outbox_filled),
                waits: Arc::clone(&storage.outbox_waits),
            };
            // Before the desks and so stopped after them: what they commit to the last still goes out.
            let last = relay.clone();
            let last = async move { last.flush().await };
            let make = move |_: &mut _| OutboxRelay { relay };
            Mailbox::start_until(&supervision, &threads.next(), "OutboxRelay", capacity, last, make)
        });
        let writer = start!("Writer", Writer::new(storage.clone()));
        let assignment_balancer = start!(
            "AssignmentBalancer",
            AssignmentBalancer::new(Balance {
                clock: clock.clone(),
                inquiries: inquiries.clone(),
                users: users.clone(),
                writer: writer.clone(),
                hands_out: settings.hands_out,
                accept_within: settings.accept_within,
            })
        );
        let customer_desk = start!(
            "CustomerDesk",
            CustomerDesk {
                clock: clock.clone(),
                customers: customers.clone(),
                users: users.clone(),
                balancer: assignment_balancer.clone(),
                writer: writer.clone(),
            }
        );
        let inquiry_desk = start!(
            "InquiryDesk",
            InquiryDesk {
                clock: clock.clone(),
                inquiries: inquiries.clone(),
                customers: customers.clone(),
                users: users.clone(),
                balancer: assignment_balancer.clone(),
                writer: writer.clone(),
            }
        );
        let approval_coordinator = start!(
            "ApprovalCoordinator",
            ApprovalCoordinator {
                clock: clock.clone(),
                prepared: Arc::clone(&storage.prepared),
                responses: responses.clone(),
                inquiries: inquiries.clone(),
                customers: customers.clone(),
                deliveries: deliveries.clone(),
                users: users.clone(),
                retry: settings.retry,
                timers: settings.timers,
                policies: Arc::clone(&settings.policies),
                approvers: Arc::default(),
                balancer: assignment_balancer.clone(),
                writer: writer.clone(),
            }
        );
        let dispatcher = |name, route, channels, due: &Arc<Notify>| {
            let dispatch = Dispatch {
                clock: clock.clone(),
                retry: settings.retry,
                deliveries: deliveries.clone(),
                coordinator: approval_coordinator.clone(),
                writer: writer.clone(),
                route,
                channels,
                prepared: Arc::clone(&storage.prepared),
                due: Arc::clone(due),
                tracer: tracer.clone(),
                turn: Arc::default(),
            };
            let last = dispatch.clone().finish();
            let make = move |_: &mut _| DeliveryDispatcher { dispatch };
            Mailbox::start_until(&supervision, &threads.next(), name, capacity, last, make)
        };
        let webhook_dispatcher = ports.as_ref().map(|ports| {
            let calling = Calling {
                clock: clock.clone(),
                rule: settings.webhooks,
                webhooks: webhooks.clone(),
                writer: writer.clone(),
                caller: ports.webhooks.clone(),
                prepared: Arc::clone(&storage.prepared),
                due: Arc::clone(&storage.webhooks_due),
                measures: storage.measures.clone(),
                turn: Arc::default(),
            };
            let last = calling.clone().finish();
            let make = move |_: &mut _| WebhookDispatcher { calling };
            Mailbox::start_until(&supervision, &threads.next(), "WebhookDispatcher", capacity, last, make)
        });
        let mail = ports.as_ref().and_then(|ports| ports.mail.clone());
        let digest_mailer = mail.clone().filter(|_| !settings.digest_every.is_zero()).map(|server| {
            let mailing = Mailing {
                clock: clock.clone(),
                every: settings.digest_every,
                retry: settings.retry,
                notifications: notifications.clone(),
                server,
                prepared: Arc::clone(&storage.prepared),
                measures: storage.measures.clone(),
                turn: Arc::default(),
            };
            let last = mailing.clone().finish();
            let make = move |_: &mut _| DigestMailer { mailing };
            Mailbox::start_until(&supervision, &threads.next(), "DigestMailer", capacity, last, make)
        });
        let rest = if mail.is_some() { Channels::Except(EMAIL) } else { Channels::All };
        let mail_dispatcher = mail.map(|server| {
            let only = Channels::Only(EMAIL);
            dispatcher("MailDispatcher", Route::Mail(server), only, &storage.mail_due)
        });
        let delivery_dispatcher = ports.map(|ports| {
            dispatcher("DeliveryDispatcher", Route::Broker(ports.broker), rest, &storage.delivery_due)
        });
        let user_desk = start!(
            "UserDesk",
            UserDesk {
                clock: clock.clone(),
                users: users.clone(),
                balancer: assignment_balancer.clone(),
                writer: writer.clone(),
                totp_required_for: Arc::clone(&settings.totp_required_for),
            }
        );
        let intake_desk = start!(
            "IntakeDesk",
            IntakeDesk {
                clock: clock.clone(),
                intake: intake.clone(),
                responses: responses.clone(),
                users: users.clone(),
                balancer: assignment_balancer.clone(),
                coordinator: approval_coordinator.clone(),
                writer: writer.clone(),
                tracer: tracer.clone(),
            }
        );
        let dead_letter_desk = start!(
            "DeadLetterDesk",
            DeadLetterDesk {
                clock: clock.clone(),
                letters: dead_letters.clone(),
                intake: intake_desk.clone(),
                writer: writer.clone(),
            }
        );
        let api_key_desk = start!(
            "ApiKeyDesk",
            ApiKeyDesk { clock: clock.clone(), api_keys: api_keys.clone(), writer: writer.clone() }
        );
        let webhook_desk = start!(
            "WebhookDesk",
            WebhookDesk { clock: clock.clone(), webhooks: webhooks.clone(), writer: writer.clone() }
        );
        let housekeeper = start!(
            "Housekeeper",
            Housekeeper {
                clock: clock.clone(),
                idempotency: idempotency.clone(),
                sessions: sessions.clone(),
                notifications: notifications.clone(),
                tickets: tickets.clone(),
                users: users.clone(),
                webhooks: webhooks.clone(),
            }
        );
        let audit_sealer = start!(
            "AuditSealer",
            AuditSealer { audit: audit.clone(), prepared: Arc::clone(&storage.prepared) }
        );
        let approval_watch = start!(
            "ApprovalWatch",
            ApprovalWatch {
                responses: responses.clone(),
                prepared: Arc::clone(&storage.prepared),
                waiting: Arc::default(),
            }
        );
        let lines = Lines::default();
        let pushing = Pushing {
            clock: clock.clone(),
            notifications: notifications.clone(),
            sessions: sessions.clone(),
            prepared: Arc::clone(&storage.prepared),
            due: Arc::clone(&storage.news_due),
            look_every: settings.look_every,
            lines: lines.clone(),
        };
        let notifier = start!("Notifier", Notifier { pushing });
        Self {
            clock,
            storage,
            supervision,
            customers,
            inquiries,
            responses,
            users,
            sessions,
            audit,
            stats,
            idempotency,
            intake,
            deliveries,
            dead_letters,
            outbox,
            notifications,
            tickets,
            api_keys,
            webhooks,
            writer,
            assignment_balancer,
            customer_desk,
            inquiry_desk,
            approval_coordinator,
            approval_watch,
            user_desk,
            intake_desk,
            dead_letter_desk,
            api_key_desk,
            webhook_desk,
            housekeeper,
            audit_sealer,
            notifier,
            lines,
            outbox_relay,
            delivery_dispatcher,
            mail_dispatcher,
            webhook_dispatcher,
            digest_mailer,
        }
    }

    /// One entry an actor that is sent messages.
    pub fn mailboxes(&self) -> Vec<MailboxMeasures> {
        macro_rules! measured {
            ($($mailbox:ident),+ $(,)?) => {
                vec![$(self.$mailbox.measures()),+]
            };
        }
        measured!(
            customers,
            inquiries,
            responses,
            users,
            sessions,
            audit,
            stats,
            idempotency,
            intake,
            deliveries,
            dead_letters,
            outbox,
            notifications,
            tickets,
            api_keys,
            webhooks,
            writer,
            assignment_balancer,
            customer_desk,
            inquiry_desk,
            approval_coordinator,
            approval_watch,
            user_desk,
            intake_desk,
            dead_letter_desk,
            api_key_desk,
            webhook_desk,
            housekeeper,
            audit_sealer,
            notifier,
        )
    }

    pub fn health(&self) -> Vec<ActorHealth> {
        self.supervision.health()
    }

    /// Refuses new messages, finishes those under way, stops every actor and closes the database. Answers with
    /// the names of those that did not finish within `timeout`.
    pub async fn shutdown(&self, timeout: Duration) -> Vec<&'static str> {
        let deadline = Instant::now() + timeout;
        let mut unfinished = self.supervision.shutdown(timeout).await;
        // One that has frozen never lets its connections go.
        let left = deadline.saturating_duration_since(Instant::now()).max(CLOSING);
        if time::timeout(left, self.storage.db.close()).await.is_err() {
            unfinished.push("the database");
        }
        unfinished
    }
}
