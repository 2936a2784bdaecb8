//! Replays and discards messages that could not be taken.

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};
use uuid::Uuid;

use crate::clock::{Clock, new_id};
use crate::desk::{expect_version, permit_any};
use crate::domain::dead_letter::{DeadLetter, DeadLetterStatus};
use crate::domain::event::{EntityType, EventType};
use crate::domain::policy::Action;
use crate::domain::{Caller, Event};
use crate::error::{HubError, HubResult};
use crate::intake_desk::{IntakeDesk, TakeAgain};
use crate::mailbox::Mailbox;
use crate::store::dead_letters::{DeadLetterStore, GetDeadLetter};
use crate::store::{Commit, Write, Writer};

/// Settles one dead letter, once.
///
/// # Errors
/// `StillRefused` for a replay of what cannot be taken now either: it stays open, with the reason as it now is.
#[derive(Clone, Debug, Message)]
#[rtype(result = "HubResult<DeadLetter>")]
pub struct SettleDeadLetter {
    /// `None`: the operator on the command line.
    pub caller: Option<Caller>,
    pub id: Uuid,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take it as if it had just come.
    Replay,
    Discard,
}

#[derive(Clone)]
pub struct DeadLetterDesk {
    pub(crate) clock: Clock,
    pub(crate) letters: Mailbox<DeadLetterStore>,
    pub(crate) intake: Mailbox<IntakeDesk>,
    pub(crate) writer: Mailbox<Writer>,
}

impl Actor for DeadLetterDesk {
    type Context = Context<Self>;
}

impl Supervised for DeadLetterDesk {}

crate::follows_traces!(DeadLetterDesk);

impl Handler<SettleDeadLetter> for DeadLetterDesk {
    type Result = ResponseFuture<HubResult<DeadLetter>>;

    fn handle(&mut self, settle: SettleDeadLetter, _: &mut Self::Context) -> Self::Result {
        let desk = self.clone();
        Box::pin(async move { desk.settle(&settle).await })
    }
}

impl DeadLetterDesk {
    async fn settle(
        &self,
        SettleDeadLetter { caller, id, verdict }: &SettleDeadLetter,
    ) -> HubResult<DeadLetter> {
        if let Some(caller) = caller {
            permit_any(&caller.principal, Action::ManageDeadLetters)?;
        }
        let found = self.letters.ask(GetDeadLetter(*id)).await?;
        let buried = found.ok_or(HubError::NotFound(EntityType::DeadLetter))?;
        let before = buried.letter.clone();
        if let Some(caller) = caller {
            expect_version(caller, before.version)?;
        }
        let (status, event) = match verdict {
            Verdict::Replay => (DeadLetterStatus::Replayed, EventType::DeadLetterReplayed),
            Verdict::Discard => (DeadLetterStatus::Discarded, EventType::DeadLetterDiscarded),
        };
        let after = before.settle(status, self.clock.now())?;
        if *verdict == Verdict::Replay
            && let Err(refusal) = self.intake.ask(TakeAgain(buried.envelope())).await?
        {
            let refused = before.refused_again(&refusal, self.clock.now());
            self.writer.ask(Commit::quiet(vec![Write::UpdateDeadLetter(refused)])).await?;
            return Err(HubError::StillRefused { reason: refusal.reason, error: refusal.error });
        }
        let entity = (EntityType::DeadLetter, *id);
        let event = Event::of(new_id(), event, entity, Some(&before), &after, after.updated_at);
        let write = Write::UpdateDeadLetter(after.clone());
        let commit = match caller {
            Some(caller) => {
                let event = event.by(caller.principal.user_id, &caller.request_id);
                Commit::new(write, event).answering(caller, &after)
            }
            None => Commit::new(write, event),
        };
        self.writer.ask(commit).await?;
        Ok(after)
    }
}
