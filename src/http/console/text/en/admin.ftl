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
webhook = Webhook
webhook-new = New webhook
webhook-create = Create webhook
webhook-change = Change it
webhook-what = The hub calls this address with each of the events chosen, signed as Standard Webhooks has it.
webhook-secret = The secret that signs its calls.
webhook-enabled = Enabled
webhook-disabled = Disabled
webhook-failing = Failing
no-webhooks = There is no webhook.
events-all = All events, those to come included
events-every = All
events-count = { $n } types
disabled-because = Disabled because
failing-since = Failing since
enable = Enable
disable = Disable
disable-what = What happens meanwhile it does not hear of later.
rotate = New secret
rotate-what = The old one signs beside the new one for 24 hours.
delete = Delete
delete-what = With all its attempts. This cannot be taken back.
done-webhook-enabled = It is enabled.
done-webhook-disabled = It is disabled.
done-webhook-deleted = The webhook was deleted.
done-attempt-replayed = It is called again.
attempts = Calls of the last 30 days
no-attempts = No call matches.
attempt-number = Attempt { $n }
attempt-failed = Failed
attempt-succeeded = Succeeded
attempt-duration = Took
outcome = Outcome
event = Event
answer = Answer
answer-body = What it said
then = Then
tried-again-at = To be tried again at
message-pending = Waits to be called
message-delivered = Delivered
message-failed = Given up
replay = Call again

# Dead letters.
dead-letter = Dead letter
dead-letters-what = Messages of gateways that could not be taken. They are kept whole, to be taken again once the cause is mended.
no-dead-letters = No message matches.
dead-reason = Reason
dead-reason-too-large = It is too large.
dead-reason-bad-json = It is not JSON.
dead-reason-validation-failed = Its content is not valid.
dead-reason-no-channel = It names no channel.
dead-reason-unknown-routing-key = Its routing key is unknown.
dead-reason-unknown-delivery = It reports on a delivery there is not.
dead-reason-contradicting-report = It contradicts an earlier report.
dead-reason-failed-repeatedly = The hub failed on it again and again.
letter-open = Open
letter-replayed = Replayed
letter-discarded = Discarded
letter-replay = Take it again
letter-replay-what = As if it had just come: after its cause has been mended.
letter-discard = Discard
letter-discard-what = It is given up, and stays on record.
done-letter-replayed = It was taken.
done-letter-discarded = It was discarded.
still-refused = It is still refused, and stays open:
settled-open = It is open.
settled-replayed = It was taken before; nothing is left to do.
settled-discarded = It was discarded before; nothing is left to do.
settled-at = Settled
message-body = Message
message-headers = Headers
message-empty = It is empty.
message-cut = The first { $n } characters are shown.
message-id = Message id
routing-key = Routing key
content-type = Content type
size = Size
bytes = { $n ->
    [one] { $n } byte
   *[other] { $n } bytes
}

# Approval policies.
policies-what = How many people have to approve a reply. The first policy that matches applies. They are in the hub's configuration.
policies-else = Where none matches, one person has to approve.
no-policies = There is none, so one person has to approve each reply.
policy-always = It matches every reply.
policy-when = It matches where all of this holds:
policy-all-authors = Everyone whose words are in it must be among the authors.
requires-one = One person has to approve.
requires-two = Two people have to approve.
requires-some = Of a hundred replies { $n } wait for approval, picked at random; the others are released at once.
customer-status = Status of the customer
or = or
explain = Which one applies?
explain-do = Explain
explain-applies = The policy “{ $policy }” applies.
explain-none = No policy matches.
explain-reply = To the reply
explain-matches = Matches
explain-no-match = Does not match
condition = Condition
wanted = Wanted
found = Found
holds = Holds

# The audit trail.
audit-what = Whatever was changed, by whom, newest first. Whether the trail is still what was written is told by the command nexus-hub audit verify.
no-audit = No entry matches.
audit-entity = What
audit-entity-id = Its id
audit-actor = Who
audit-action = Action
audit-from = From
audit-to = Until
audit-changes = Changes
audit-field = Field
audit-before = Before
audit-after = After
audit-of = About it in the audit trail
audit-by = By them in the audit trail
the-hub = The hub itself
request-id = Request
entity-customer = Customer
entity-inquiry = Inquiry
entity-response = Reply
entity-user = User
entity-session = Session
entity-delivery = Delivery
entity-api-key = API key
entity-dead-letter = Dead letter
entity-notification = Notification
entity-webhook = Webhook
entity-webhook-attempt = Call of a webhook

# The hub and what it depends on.
version = Version { $version }

# Words of several of these pages.
about = About it
at = When
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
