# Work of managers: approvals and the team.
approval-queue = Approval queue
approvals-waiting = { $n ->
    [0] Nothing waits
    [one] { $n } reply waits
   *[other] { $n } replies wait
}
approvals-empty = Nothing waits for your decision. What is submitted comes up here by itself.
yours = Yours
exact-text = Exact text, revision { $n }
since-rejected = What has changed since revision { $n } was rejected
not-waiting = It does not wait for a decision any more.
four-eyes = You wrote or edited this, so somebody else decides.
approved-already = You have approved it already; it takes another person.
approvals-missing = { $n ->
    [one] One more person has to approve it.
   *[other] { $n } more people have to approve it.
}
approve = Approve and send
reject = Reject
reject-notes = What has to change
stale-reviewer = The customer has written again since this was submitted. Read it in the conversation before you decide.
stale-read = I have read what the customer wrote since
history = History
refused-revision = The text has changed since you opened it. Your decision was not taken; revision { $n } is shown now.
refused-stale = The customer has written again. Your approval was not taken: read the conversation, tick the box and decide again.
refused-decided = Your decision was not taken: { $who } { $what } first.
done-approved = Approved. It is on its way to the customer.
done-approval-added = Your approval counts. One more person has to approve it.
done-rejected = Rejected. The author sees your notes.
team-what = Everyone who answers, with the inquiries they have open. Their names lead to their work, where it can be given to somebody else.
team-unassigned = Inquiries that nobody has yet
team-empty = There is no active CSO.
team-throughput = Replies sent, 30 days
team-answered = First answers, 30 days
availability = Availability
load = Open inquiries
load-of = { $open } of { $most }
shown-is-gone = What you are reading does not wait any more.
