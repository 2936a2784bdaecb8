//! What customers of the demo's shop, a maker of smart home devices, write about.

mod billing;
mod general;
mod returns;
mod shipping;
mod technical;

use nexus_actors::domain::inquiry::Priority;

/// One kind of trouble in several wordings. `replies[n]` answers `messages[n]`; either subject goes with either.
#[derive(Debug)]
pub struct Topic {
    pub priority: Priority,
    pub subjects: [&'static str; 2],
    pub messages: [&'static str; 2],
    pub replies: [&'static str; 2],
}

pub const TECHNICAL: &str = "technical";

/// Categories, each with its share of the inquiries in percent.
pub const CATEGORIES: &[(&str, u32, &[Topic])] = &[
    ("shipping", 27, shipping::TOPICS),
    ("billing", 23, billing::TOPICS),
    (TECHNICAL, 22, technical::TOPICS),
    ("returns", 16, returns::TOPICS),
    ("general", 12, general::TOPICS),
];

pub const PRODUCTS: &[&str] = &[
    "Aura desk lamp",
    "Hearth thermostat",
    "Relay hub",
    "Vista camera",
    "Tempo speaker",
    "Breeze air purifier",
    "Halo ceiling light",
    "Pulse door sensor",
];

pub const CITIES: &[&str] =
    &["Hamburg", "Lyon", "Rotterdam", "Gothenburg", "Milan", "Kraków", "Dublin", "Porto", "Vienna"];
