//! The broker of the embedded default: in this process.

use actix::{Actor, Context, Handler, Supervised};
use nexus_actors::HubResult;
use nexus_actors::port::{Outcome, Publish};

#[derive(Debug, Default)]
pub struct LocalBroker;

impl Actor for LocalBroker {
    type Context = Context<Self>;
}

impl Supervised for LocalBroker {}

impl Handler<Publish> for LocalBroker {
    type Result = HubResult<Vec<Outcome>>;

    fn handle(&mut self, Publish(messages): Publish, _: &mut Self::Context) -> Self::Result {
        Ok(vec![Outcome::Confirmed; messages.len()])
    }
}
