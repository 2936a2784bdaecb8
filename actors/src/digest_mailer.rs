//! Mails what waits for a decision to those who can decide, several in one digest, where there is a mail server.
//!
//! What is to be mailed is written with the notification of it. A digest is claimed in the database, so that one
//! instance sends it. One that was not sent goes later, with what is new by then; one that may have arrived goes again as
//! the same mail, under the same `Message-ID`.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture, Supervised, WrapFuture,
};
use futures_util::future::join_all;
use tokio::sync::{Mutex, SetOnce};
use tokio::time::sleep;
use uuid::Uuid;

use crate::clock::Clock;
use crate::desk::settle;
use crate::domain::delivery::RetryRule;
use crate::domain::notice::Digest;
use crate::error::{HubError, HubResult};
use crate::mailbox::Mailbox;
use crate::measures::{DigestFate, Measures};
use crate::port::{MAIL_CLAIM, Mail, MailOutcome, SendMail, send_mail};
use crate::store::notifications::{ClaimDigest, DigestEnd, ListDigestsDue, NotificationStore, SettleDigest};

/// How often due digests are looked for.
const SWEEP: Duration = Duration::from_secs(2);
/// How long the first notice waits for others that fall due with it: timers fire one by one.
pub const GATHERING: Duration = Duration::from_secs(5);
/// Digests sent at a time.
const BATCH: i64 = 20;

pub struct DigestMailer {
    pub(crate) mailing: Mailing,
}

/// What sends digests, in the actor's own loop or when asked to.
#[derive(Clone)]
pub(crate) struct Mailing {
    pub clock: Clock,
    /// Between two digests to one person, at least.
    pub every: Duration,
    pub retry: RetryRule,
    pub notifications: Mailbox<NotificationStore>,
    pub server: Recipient<SendMail>,
    pub prepared: Arc<SetOnce<()>>,
    pub measures: Measures,
    /// Held while digests are sent, and at the end for good.
    pub turn: Arc<Mutex<()>>,
}

/// Sends what is due, up to a bound. The mailer does so by itself, every two seconds.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "HubResult<()>")]
pub struct MailDigests;

impl Actor for DigestMailer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let mailing = self.mailing.clone();
        ctx.spawn(async move { mailing.run().await }.into_actor(self));
    }
}

impl Supervised for DigestMailer {}

crate::follows_traces!(DigestMailer);

impl Handler<MailDigests> for DigestMailer {
    type Result = ResponseFuture<HubResult<()>>;

    fn handle(&mut self, _: MailDigests, _: &mut Self::Context) -> Self::Result {
        let mailing = self.mailing.clone();
        Box::pin(async move { mailing.round().await.map(drop) })
    }
}

impl Mailing {
    async fn run(&self) {
        self.prepared.wait().await;
        loop {
            match self.round().await {
                Ok(found) if found >= BATCH as usize => continue,
                Ok(_) | Err(HubError::Contended) => {}
                Err(error) => tracing::warn!(%error, "digests wait"),
            }
            sleep(SWEEP).await;
        }
    }

    /// Waits for the digests under way, so that what became of them is kept, and lets no other begin.
    pub async fn finish(self) {
        let turn = self.turn.lock().await;
        std::mem::forget(turn);
    }

    async fn round(&self) -> HubResult<usize> {
        let _turn = self.turn.lock().await;
        let now = self.clock.now();
        let list = ListDigestsDue { now, waiting_since: now.minus(GATHERING), limit: BATCH };
        let due = self.notifications.ask(list).await?;
        let found = due.len();
        let mailed = join_all(due.into_iter().map(|user_id| self.mail(user_id))).await;
        mailed.into_iter().collect::<HubResult<()>>()?;
        Ok(found)
    }

    async fn mail(&self, user_id: Uuid) -> HubResult<()> {
        let now = self.clock.now();
        let claim = ClaimDigest { user_id, now, until: now.plus(MAIL_CLAIM), next: now.plus(self.every) };
        let Some(digest) = self.notifications.ask(claim).await? else { return Ok(()) };
        let outcome = send_mail(&self.server, Mail::Notice(digest.notice(now))).await;
        let (end, pause) = self.end(&digest, outcome);
        let due_at = self.clock.now().plus(pause);
        // Should this fail, the claim stands; when it ends, the digest goes again as the same mail.
        settle(|| self.notifications.ask(SettleDigest { user_id, id: digest.id, end, due_at })).await
    }

    /// What follows, and after which pause the user may be sent one again.
    fn end(&self, digest: &Digest, outcome: MailOutcome) -> (DigestEnd, Duration) {
        let (user, id) = (digest.user_id, digest.id);
        let unknown = matches!(outcome, MailOutcome::Unknown { .. });
        let (reason, attempts) = match outcome {
            MailOutcome::Sent => {
                self.measures.digest(DigestFate::Sent);
                return (DigestEnd::Over, self.every);
            }
            MailOutcome::Failed { reason, permanent: true } => {
                tracing::error!(%user, digest = %id, reason, "a digest is refused, and given up");
                self.measures.digest(DigestFate::GivenUp);
                return (DigestEnd::Over, self.every);
            }
            MailOutcome::NotTried { reason } => (reason, digest.attempts),
            // Those that did not arrive count for the pause, and not for how often it may be sent in doubt.
            MailOutcome::Unknown { reason } if !digest.in_doubt => (reason, 1),
            MailOutcome::Failed { reason, permanent: false } | MailOutcome::Unknown { reason } => {
                (reason, digest.attempts + 1)
            }
        };
        if unknown && attempts >= self.retry.max_attempts {
            tracing::error!(%user, digest = %id, reason, attempts, "a digest may not have arrived, and is given up");
            self.measures.digest(DigestFate::GivenUp);
            return (DigestEnd::Over, self.every);
        }
        // A failure does not tell what became of it before.
        let in_doubt = digest.in_doubt || unknown;
        tracing::warn!(%user, digest = %id, reason, attempts, in_doubt, "a digest has to be sent again");
        self.measures.digest(DigestFate::PutOff);
        let end = if in_doubt { DigestEnd::InDoubt { attempts } } else { DigestEnd::Released { attempts } };
        (end, self.retry.pause(attempts.max(1)))
    }
}
