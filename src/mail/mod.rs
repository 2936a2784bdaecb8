//! Sends approved replies of the channel `email` itself, and digests of what waits, where `smtp.url` names a mail server.
//!
//! The hub asks with [`SendMail`] and acts on the outcome: it marks a mail as sent, tries again or gives up. An outcome
//! says no more than what is known; [`delivery`] tells how that is found out.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Recipient, ResponseFuture, Supervised};
use actix_rt::Arbiter;
use nexus_actors::Clock;
use nexus_actors::port::{Mail, MailOutcome, SendMail};
use nexus_actors::supervision::Supervision;

mod connections;
mod delivery;
pub mod message;
mod settings;

pub use settings::SmtpSettings;

use crate::settings::BadSetting;
use connections::Connections;
use settings::Smtp;

/// How often connections that nothing needs any more are looked for.
const TIDYING: Duration = Duration::from_secs(10);

/// Holds the connections to the mail server.
pub struct MailSender {
    smtp: Arc<Smtp>,
    connections: Arc<Connections>,
    clock: Clock,
}

impl MailSender {
    /// A supervised sender on a thread of its own, or `None` where no mail server is set. Does not connect yet.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub fn start(
        settings: &SmtpSettings,
        supervision: &Supervision,
        clock: Clock,
    ) -> Result<Option<Recipient<SendMail>>, BadSetting> {
        let Some(smtp) = settings.parse()? else { return Ok(None) };
        let connections = Arc::new(Connections::to(smtp.server.clone()));
        let sender = Self { smtp: Arc::new(smtp), connections, clock };
        Ok(Some(supervision.start(&Arbiter::new().handle(), "MailSender", |_| sender).recipient()))
    }
}

impl Actor for MailSender {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(TIDYING, |sender, _| sender.connections.tidy());
    }
}

impl Supervised for MailSender {}

impl Handler<SendMail> for MailSender {
    type Result = ResponseFuture<MailOutcome>;

    fn handle(&mut self, SendMail(mail): SendMail, _: &mut Self::Context) -> Self::Result {
        let (smtp, connections) = (Arc::clone(&self.smtp), Arc::clone(&self.connections));
        let now = self.clock.now();
        Box::pin(async move {
            let composed = match &mail {
                Mail::Reply(reply) => message::compose(reply, &smtp.from, now),
                Mail::Notice(notice) => message::compose_notice(notice, &smtp.from, now),
            };
            match composed {
                Ok(mail) => delivery::deliver(&mail, &connections, smtp.timeout).await,
                Err(reason) => MailOutcome::Failed { reason, permanent: true },
            }
        })
    }
}
