use serde::Deserialize;
use url::Url;

use crate::settings::BadSetting;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// Empty: nothing is traced.
    pub otlp_endpoint: String,
    pub service_name: String,
    /// Of 1.
    pub sample_ratio: f64,
}

impl TelemetrySettings {
    pub fn is_on(&self) -> bool {
        !self.otlp_endpoint.is_empty()
    }

    pub fn check(&self) -> Result<(), BadSetting> {
        let refuse = |setting, problem: &str| Err(BadSetting { setting, problem: problem.to_owned() });
        if self.is_on() {
            let url = Url::parse(&self.otlp_endpoint).ok();
            let fit = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            let Some(url) = fit else {
                return refuse(
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                    "must be a URL that begins with http:// or https://",
                );
            };
            if !url.username().is_empty() || url.password().is_some() {
                return refuse(
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                    "must be without a user; OTEL_EXPORTER_OTLP_HEADERS takes what the collector asks for",
                );
            }
            if url.query().is_some() || url.fragment().is_some() {
                return refuse(
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                    "must end with its path, to which /v1/traces is added",
                );
            }
        }
        if self.service_name.trim().is_empty() {
            return refuse("OTEL_SERVICE_NAME", "must not be empty");
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return refuse("telemetry.sample_ratio", "must be between 0 and 1");
        }
        Ok(())
    }

    /// Where traces are posted to.
    pub(super) fn traces_url(&self) -> String {
        format!("{}/v1/traces", self.otlp_endpoint.trim_end_matches('/'))
    }
}
