use config::ConfigError;

/// A setting that is refused. Never says what an URL is: it has a password in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSetting {
    pub setting: &'static str,
    pub problem: String,
}

/// One line that names the setting.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0}")]
    Unreadable(#[from] ConfigError),
    #[error("setting {setting}: {problem}")]
    Refused { setting: String, problem: String },
}
