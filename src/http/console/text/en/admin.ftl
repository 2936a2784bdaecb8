# Administration.

# Users.
user-new = New user
user-create = Create user
user-active = Active
user-inactive = Deactivated
no-users = No user matches.
first-password-what = At least 12 characters. Hand it over safely; whoever gets it can change it in their account.
second-factor = Second factor
skills-all = All categories
skills-what = Categories, with commas between them. Empty for all.
deactivate = Deactivate
deactivate-what = Their sessions end at once, and their open inquiries are handed on.
reactivate = Reactivate
reset-second-factor = Reset second factor
reset-second-factor-what = Signing in will take the password alone until they set up another one. Their sessions end.
done-user-created = The user was created.
done-user-deactivated = Deactivated. Their work is handed on.
done-user-reactivated = Active again.
done-second-factor-reset = The second factor was reset.

# API keys.
api-keys-what = What gateways and other programs come in with.
no-api-keys = There is no key.
key-new = New key
key-create = Create key
key-hint = Begins with
last-used = Last used
never = Never
scope-inbound = bring inquiries in
scope-deliveries = fetch deliveries and report on them
revoke = Revoke
revoke-what = From then on the key opens nothing. This cannot be taken back.
done-key-revoked = The key was revoked.
shown-once = Copy it now: it is not shown again.

# Webhooks.
event = Event
answer = Answer
then = Then

# Approval policies.
customer-status = Status of the customer

# The audit trail.
audit-of = About it in the audit trail
audit-by = By them in the audit trail

# The hub and what it depends on.
version = Version { $version }

# Words of several of these pages.
created = Created
created-by = Created by
changed = Changed
flag-true = Yes
flag-false = No
field-role = Role
field-is-active = Active
field-max-open-inquiries = Open inquiries at most
field-skills = Skills
field-scopes = Scopes
field-name = Name
field-url = URL
field-events = Events
field-description = Description
field-response-id = Id of a reply, or a link to it
error-too-short = is too short
error-control-character = must not contain control characters or line breaks
error-common-password = is too easy to guess
error-invalid-email = is not an email address
error-invalid-url = must be a public address that begins with https, without a user, a password or a fragment
error-out-of-range = is out of range
error-too-many = are too many
error-unknown-value = is none of those there are
error-not-found = is not there
