//! Answers with an entity tag: the version.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use nexus_actors::domain::customer::Customer;
use nexus_actors::domain::dead_letter::DeadLetter;
use nexus_actors::domain::delivery::Delivery;
use nexus_actors::domain::inquiry::Inquiry;
use nexus_actors::domain::response::Response;
use nexus_actors::domain::user::User;
use nexus_actors::domain::webhook::Webhook;
use serde::Serialize;
use uuid::Uuid;

/// Entities that have a version.
pub trait Versioned: Serialize {
    fn id(&self) -> Uuid;
    fn version(&self) -> i64;
}

macro_rules! versioned {
    ($($entity:ty),+) => {$(
        impl Versioned for $entity {
            fn id(&self) -> Uuid {
                self.id
            }

            fn version(&self) -> i64 {
                self.version
            }
        }
    )+};
}

versioned!(Customer, DeadLetter, Delivery, Inquiry, Response, User, Webhook);

/// 200 with the entity, or 304 when the client has this version already.
pub fn found<T: Versioned>(request: &HttpRequest, entity: &T) -> HttpResponse {
    let tag = etag(entity.version());
    let known = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok()).any(
        |value| {
            value
                .split(',')
                .map(str::trim)
                .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
        },
    );
    if known {
        HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish()
    } else {
        changed(entity)
    }
}

/// 200 with the entity as it now is.
pub fn changed<T: Versioned>(entity: &T) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::ETAG, etag(entity.version()))).json(entity)
}

/// 201 with the entity and where it is.
pub fn created<T: Versioned>(collection: &str, entity: &T) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((header::ETAG, etag(entity.version())))
        .insert_header((header::LOCATION, format!("{collection}/{}", entity.id())))
        .json(entity)
}

/// For answers that must not be kept anywhere, such as those with tokens.
pub fn never_stored(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}
