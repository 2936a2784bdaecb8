# Arbeit der Manager: Freigaben und das Team.
approval-queue = Warteschlange der Freigaben
approvals-waiting = { $n ->
    [0] Nichts wartet
    [one] { $n } Antwort wartet
   *[other] { $n } Antworten warten
}
approvals-empty = Nichts wartet auf Ihre Entscheidung. Was eingereicht wird, erscheint hier von selbst.
yours = Von Ihnen
exact-text = Genauer Text, Fassung { $n }
since-rejected = Was sich geändert hat, seit Fassung { $n } abgelehnt wurde
not-waiting = Das wartet nicht mehr auf eine Entscheidung.
four-eyes = Sie haben daran geschrieben; deshalb entscheidet jemand anders.
approved-already = Sie haben es schon freigegeben; jetzt braucht es noch jemanden.
approvals-missing = { $n ->
    [one] Noch eine Person muss es freigeben.
   *[other] Noch { $n } Personen müssen es freigeben.
}
approve = Freigeben und senden
reject = Ablehnen
reject-notes = Was sich ändern muss
stale-reviewer = Der Kunde hat wieder geschrieben, seit das eingereicht wurde. Lesen Sie es im Gespräch, bevor Sie entscheiden.
stale-read = Ich habe gelesen, was der Kunde seitdem geschrieben hat
history = Verlauf
refused-revision = Der Text hat sich geändert, seit Sie ihn geöffnet haben. Ihre Entscheidung gilt nicht; jetzt sehen Sie Fassung { $n }.
refused-stale = Der Kunde hat wieder geschrieben. Ihre Freigabe gilt nicht: Lesen Sie das Gespräch, setzen Sie das Häkchen und entscheiden Sie erneut.
refused-decided = Ihre Entscheidung gilt nicht: Schneller war { $who } und { $what }.
done-approved = Freigegeben. Es ist auf dem Weg zum Kunden.
done-approval-added = Ihre Freigabe zählt. Noch eine Person muss es freigeben.
done-rejected = Abgelehnt. Wer es geschrieben hat, sieht Ihre Anmerkungen.
team-what = Alle, die antworten, mit ihren offenen Anfragen. Die Namen führen zu ihrer Arbeit; dort kann sie anderen gegeben werden.
team-unassigned = Anfragen, die noch niemand hat
team-empty = Es gibt keinen aktiven CSO.
team-throughput = Gesendete Antworten, 30 Tage
team-answered = Erste Antworten, 30 Tage
availability = Verfügbarkeit
load = Offene Anfragen
load-of = { $open } von { $most }
shown-is-gone = Was Sie gerade lesen, wartet nicht mehr.
