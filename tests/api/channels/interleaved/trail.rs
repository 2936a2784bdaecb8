//! What the audit trail says was done to one response, step by step, by the rules of the house.

use std::collections::HashSet;

use serde_json::Value;

pub struct Trail {
    writers: HashSet<Value>,
    revision: i64,
    text: Value,
    /// How many it takes, and who has approved it since it was submitted.
    round: Option<(usize, Vec<Value>)>,
    agreements: Vec<Agreement>,
}

/// That this text goes out.
struct Agreement {
    revision: i64,
    text: Value,
    /// Whose approval was the last; null where a policy released it.
    by: Value,
}

impl Trail {
    /// # Errors
    /// The first rule that was broken.
    pub fn walk(category: &str, entries: &[Value]) -> Result<Self, String> {
        let mut trail = Self {
            writers: HashSet::new(),
            revision: 0,
            text: Value::Null,
            round: None,
            agreements: Vec::new(),
        };
        // The clock stands still, but ids grow within one process.
        let mut entries: Vec<_> = entries.iter().collect();
        entries.sort_by_key(|entry| entry["id"].as_str());
        for entry in entries {
            trail.step(category, entry).map_err(|rule| format!("{rule}: {entry}"))?;
        }
        Ok(trail)
    }

    fn step(&mut self, category: &str, entry: &Value) -> Result<(), &'static str> {
        let by = &entry["actorId"];
        let required = if category == "legal" { 2 } else { 1 };
        match entry["action"].as_str().unwrap() {
            "response.created" | "response.edited" => {
                self.writers.insert(by.clone());
                self.text = entry["changes"]["message"]["to"].clone();
                self.revision += 1;
                self.round = None;
            }
            "response.submitted" => self.round = Some((required, Vec::new())),
            "response.released" => {
                if category != "chatter" {
                    return Err("released without a policy");
                }
                self.agree(Value::Null);
            }
            "response.withdrawn" => self.round = None,
            "response.rejected" => {
                self.decide(by)?;
                self.round = None;
            }
            step @ ("response.approval_added" | "response.approved") => {
                let (required, given) = self.decide(by)?;
                if given.contains(by) {
                    return Err("approved twice by the same person");
                }
                given.push(by.clone());
                let enough = given.len() >= *required;
                if enough != (step == "response.approved") {
                    return Err("not as many approvals as it takes");
                }
                if enough {
                    self.agree(by.clone());
                }
            }
            "response.stale" => {
                let (_, given) = self.round.as_mut().ok_or("stale, but it does not wait")?;
                given.clear();
            }
            "response.sent" | "response.delivery_failed"
                if self.round.is_some() || self.agreements.is_empty() =>
            {
                return Err("delivered, but not approved");
            }
            _ => {}
        }
        Ok(())
    }

    fn decide(&mut self, by: &Value) -> Result<&mut (usize, Vec<Value>), &'static str> {
        if self.writers.contains(by) {
            return Err("decided on by one of its writers");
        }
        self.round.as_mut().ok_or("decided on, but it does not wait")
    }

    fn agree(&mut self, by: Value) {
        self.agreements.push(Agreement { revision: self.revision, text: self.text.clone(), by });
        self.round = None;
    }

    /// With the response, its deliveries and what the gateway was given.
    pub fn compare(
        &self,
        response: &Value,
        deliveries: &[&Value],
        told: &[&Value],
    ) -> Result<(), &'static str> {
        if (&response["message"], response["revision"].as_i64()) != (&self.text, Some(self.revision)) {
            return Err("the response has another text");
        }
        if (response["status"] == "pending_approval") != self.round.is_some() {
            return Err("the response waits, or does not");
        }
        if deliveries.len() != self.agreements.len() {
            return Err("not one delivery for each agreement");
        }
        for delivery in deliveries {
            let given = told.iter().any(|message| message["deliveryId"] == delivery["id"]);
            if !given || delivery["status"] == "pending" {
                return Err("a delivery was not handed over, or not settled");
            }
        }
        for message in told {
            let is_it = |one: &Agreement| {
                message["revision"] == one.revision
                    && message["message"] == one.text
                    && message["approvedBy"] == one.by
                    && message["releasedBy"].is_null() != one.by.is_null()
            };
            if !self.agreements.iter().any(is_it) {
                return Err("the gateway was given what was not approved");
            }
        }
        Ok(())
    }
}
