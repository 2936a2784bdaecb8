//! What a form has sent.

use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use nexus_actors::HubError;
use nexus_actors::domain::FieldError;

use crate::http::body::{announced_length, receive};
use crate::http::problem::HttpError;

/// Carries [`super::visitor::Visitor::form_token`].
pub const TOKEN: &str = "form-token";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// Names and values, in the order of the form.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub fn parse(body: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(body).into_owned().collect())
    }

    /// Browsers end lines in CR and LF here (HTML, 4.10.21.4), which nobody typed.
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().replace("\r\n", "\n")
    }

    /// `None` where it is empty.
    pub fn optional(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.trim().is_empty())
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Of boxes that share a name, those ticked.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(one, _)| one == name).map(|(_, value)| value.clone()).collect()
    }

    /// What was sent; `None` where it is left out or empty.
    ///
    /// # Errors
    /// `Invalid`, naming the field, for what does not parse.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, HttpError> {
        let Some(text) = self.get(name).map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            let error = FieldError::new(&format!("/{name}"), "invalid_value", "cannot be read".to_owned());
            HubError::Invalid(vec![error]).into()
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest for Fields {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_form = request.content_type().eq_ignore_ascii_case(CONTENT_TYPE);
        let announced = announced_length(request);
        let payload = payload.take();
        async move {
            let body = receive(announced, payload).await?;
            if !is_form && !body.is_empty() {
                return Err(HttpError::WrongContentType);
            }
            Ok(Self::parse(&body))
        }
        .boxed_local()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_they_were_typed_and_boxes_share_a_name() {
        let fields = Fields::parse(b"message=a%0D%0Ab&event=x&event=y&n=7&empty=&bad=z");
        assert_eq!(fields.text("message"), "a\nb");
        assert_eq!(fields.all("event"), ["x", "y"]);
        assert_eq!(fields.parsed::<i64>("n").unwrap(), Some(7));
        assert_eq!(fields.parsed::<i64>("empty").unwrap(), None);
        assert!(fields.parsed::<i64>("bad").is_err());
        assert_eq!(fields.optional("empty"), None);
        assert!(fields.is_set("empty") && !fields.is_set("other"));
    }
}
