-- Second factors: authenticator apps (TOTP, RFC 6238), and recovery codes for when one is lost.

-- Whether a code is asked for at a sign-in: from the confirmation of an authenticator until it is taken off.
alter table users add column totp_enabled boolean not null default false;

create table user_totp (
    user_id   blob not null primary key references users (id),
    -- Sealed with a key from the settings; null until an authenticator has been confirmed.
    secret    text,
    -- Of the one that is to be confirmed, and then takes its place.
    pending   text,
    -- The newest time step of which a code was accepted; none of it or of one before is accepted again.
    last_step integer not null default 0
);

-- Those that are left.
create table recovery_codes (
    user_id   blob not null references user_totp (user_id) on delete cascade,
    -- HMAC-SHA256 in hex, keyed with the authenticator's secret.
    code_hash text not null,
    primary key (user_id, code_hash)
);
