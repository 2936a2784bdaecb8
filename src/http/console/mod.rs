//! The console: the hub in a browser, for those who answer and those who decide.
//!
//! Pages are made here and nowhere else, of plain HTML that works without a script; htmx and its SSE extension make them
//! livelier. What a page shows and what a form does goes through the same messages and the same policy as the API.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`frame`], [`visitor`], [`fields`] | around every page: who looks at it, what a form has sent, how an error looks |
//! | [`catalogue`], [`prefs`] | texts, languages, zones |
//! | [`layout`], [`parts`], [`names`], [`list`], [`diff`], [`live`], [`assets`] | what pages are made of |
//! | the others | the pages |

mod account;
mod admin;
mod approvals;
mod assets;
mod catalogue;
mod charts;
mod conversation;
mod customers;
mod dashboard;
mod diff;
mod fields;
mod frame;
mod inquiries;
mod layout;
mod list;
mod live;
mod names;
mod parts;
mod prefs;
mod queue;
mod refusal;
mod replies;
mod second_factor;
mod sign_in;
mod team;
mod visitor;

use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, web};
use nexus_actors::domain::user::Role;

use self::visitor::Visitor;
use super::load;

/// Behind every other route: the scope takes whatever path is left.
pub fn routes(config: &mut web::ServiceConfig) {
    config.configure(assets::routes).service(
        web::scope("")
            .wrap(from_fn(load::shed))
            .wrap(from_fn(frame::hold))
            .service(web::resource("/").get(start))
            .configure(sign_in::routes)
            .configure(account::routes)
            .configure(second_factor::routes)
            .configure(queue::routes)
            .configure(replies::routes)
            .configure(inquiries::routes)
            .configure(conversation::routes)
            .configure(customers::routes)
            .configure(approvals::routes)
            .configure(team::routes)
            .configure(dashboard::routes)
            .configure(live::routes)
            .configure(admin::routes),
    );
}

/// Where someone's work is.
async fn start(visitor: Visitor) -> HttpResponse {
    see_other(match visitor.user.role {
        Role::Cso => "/queue",
        Role::Manager | Role::Admin => "/approvals",
    })
}

/// What answers a form that has done what it was for (RFC 9110, section 15.4.4).
fn see_other(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}
