//! `nexus-hub dead-letters`: messages that could not be taken, for operators without a browser.

use std::io::Write;

use clap::{Args, Subcommand};
use nexus_actors::Hub;
use nexus_actors::dead_letter_desk::{SettleDeadLetter, Verdict};
use nexus_actors::domain::dead_letter::{BuriedMessage, DeadLetter, DeadLetterStatus};
use nexus_actors::domain::page::{MAX_LIMIT, PageRequest, SortOrder, SortValue};
use nexus_actors::store::dead_letters::{GetDeadLetter, ListDeadLetters, SORTS};
use uuid::Uuid;

use super::{Failure, explained};

#[derive(Debug, Subcommand)]
pub(super) enum DeadLetters {
    /// List them, newest first: id, when, status, reason, routing key, error.
    List(ListArguments),
    /// Show one with its headers and body.
    Show { id: Uuid },
    /// Take them as if they had just come, after the cause has been mended.
    Replay(Chosen),
    /// Give them up. They stay on record.
    Discard(Chosen),
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// open, replayed or discarded
    #[arg(long)]
    status: Option<DeadLetterStatus>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Chosen {
    ids: Vec<Uuid>,
    /// Every open one.
    #[arg(long)]
    all: bool,
}

impl DeadLetters {
    /// Whether it changes anything that a hub on the same SQLite file may have in memory.
    pub(super) fn writes(&self) -> bool {
        match self {
            Self::List(_) | Self::Show { .. } => false,
            Self::Replay(_) | Self::Discard(_) => true,
        }
    }
}

pub(super) async fn run(hub: &Hub, command: DeadLetters) -> Result<(), Failure> {
    match command {
        DeadLetters::List(ListArguments { status }) => list(hub, status).await,
        DeadLetters::Show { id } => show(hub, id).await,
        DeadLetters::Replay(chosen) => settle(hub, chosen, Verdict::Replay).await,
        DeadLetters::Discard(chosen) => settle(hub, chosen, Verdict::Discard).await,
    }
}

async fn list(hub: &Hub, status: Option<DeadLetterStatus>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for letter in letters(hub, status, SortOrder::Desc).await? {
        // Tabs part the columns; an error is one line and holds none.
        let error = letter.error.replace(char::is_control, " ");
        let (id, at) = (letter.id, letter.created_at);
        let (status, reason, key) = (letter.status, letter.reason, letter.routing_key);
        writeln!(out, "{id}\t{at}\t{status}\t{reason}\t{key}\t{error}")?;
    }
    Ok(())
}

async fn show(hub: &Hub, id: Uuid) -> Result<(), Failure> {
    let buried = hub.dead_letters.ask(GetDeadLetter(id)).await?;
    let letter = buried.map(BuriedMessage::shown).ok_or_else(|| format!("no dead letter {id}"))?;
    println!("{}", serde_json::to_string_pretty(&letter)?);
    Ok(())
}

/// Goes on with the others when one fails, and fails in the end.
async fn settle(hub: &Hub, chosen: Chosen, verdict: Verdict) -> Result<(), Failure> {
    let ids = if chosen.all {
        // Oldest first, so that conversations are replayed in their order.
        let open = letters(hub, Some(DeadLetterStatus::Open), SortOrder::Asc).await?;
        open.iter().map(|letter| letter.id).collect()
    } else {
        chosen.ids
    };
    let mut failed = 0;
    for id in &ids {
        match hub.dead_letter_desk.ask(SettleDeadLetter { caller: None, id: *id, verdict }).await {
            Ok(letter) => println!("{id}\t{}", letter.status),
            Err(error) => {
                failed += 1;
                println!("{id}\t{}", explained(error));
            }
        }
    }
    if failed > 0 { Err(format!("{failed} of {} failed", ids.len()).into()) } else { Ok(()) }
}

async fn letters(
    hub: &Hub,
    status: Option<DeadLetterStatus>,
    order: SortOrder,
) -> Result<Vec<DeadLetter>, Failure> {
    let sort_by = SORTS.first().map_or("createdAt", |sort| sort.name);
    let (mut letters, mut after) = (Vec::<DeadLetter>::new(), None);
    loop {
        let page = PageRequest { after, ..PageRequest::first(MAX_LIMIT, sort_by, order) };
        let page = hub.dead_letters.ask(ListDeadLetters { status, page }).await?;
        letters.extend(page.data);
        match (page.meta.next_cursor, letters.last()) {
            (Some(_), Some(last)) => after = Some((SortValue::Time(last.created_at), last.id)),
            _ => return Ok(letters),
        }
    }
}
