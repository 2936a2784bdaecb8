//! `nexus-hub demo`.

use crate::settings::Settings;

pub async fn load(_: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    Ok(())
}
