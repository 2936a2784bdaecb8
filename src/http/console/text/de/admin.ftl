# Verwaltung.

# Benutzer.
user-new = Neuer Benutzer
user-create = Benutzer anlegen
user-active = Aktiv
user-inactive = Deaktiviert
no-users = Kein Benutzer passt.
first-password-what = Mindestens 12 Zeichen. Geben Sie es sicher weiter; im eigenen Konto lässt es sich ändern.
second-factor = Zweiter Faktor
skills-all = Alle Kategorien
skills-what = Kategorien, durch Kommas getrennt. Leer für alle.
deactivate = Deaktivieren
deactivate-what = Alle Sitzungen enden sofort, und offene Anfragen werden weitergegeben.
reactivate = Wieder aktivieren
reset-second-factor = Zweiten Faktor zurücksetzen
reset-second-factor-what = Zum Anmelden genügt das Passwort, bis ein neuer eingerichtet ist. Alle Sitzungen enden.
done-user-created = Der Benutzer wurde angelegt.
done-user-deactivated = Deaktiviert. Die Arbeit wird weitergegeben.
done-user-reactivated = Wieder aktiv.
done-second-factor-reset = Der zweite Faktor wurde zurückgesetzt.

# API-Schlüssel.
api-keys-what = Damit melden sich Gateways und andere Programme.
no-api-keys = Es gibt keinen Schlüssel.
key-new = Neuer Schlüssel
key-create = Schlüssel anlegen
key-hint = Beginnt mit
last-used = Zuletzt benutzt
never = Nie
scope-inbound = Anfragen einliefern
scope-deliveries = Zustellungen abholen und melden
revoke = Widerrufen
revoke-what = Danach öffnet der Schlüssel nichts mehr. Das lässt sich nicht zurücknehmen.
done-key-revoked = Der Schlüssel wurde widerrufen.
shown-once = Kopieren Sie es jetzt: Es wird nicht noch einmal gezeigt.

# Webhooks.
webhook = Webhook
webhook-new = Neuer Webhook
webhook-create = Webhook anlegen
webhook-change = Ändern
webhook-what = Der Hub ruft diese Adresse bei jedem der gewählten Ereignisse auf, signiert nach Standard Webhooks.
webhook-secret = Das Geheimnis, das die Aufrufe signiert.
webhook-enabled = Eingeschaltet
webhook-disabled = Abgeschaltet
webhook-failing = Scheitert
no-webhooks = Es gibt keinen Webhook.
events-all = Alle Ereignisse, auch künftige
events-every = Alle
events-count = { $n } Arten
disabled-because = Abgeschaltet, weil
failing-since = Scheitert seit
enable = Einschalten
disable = Abschalten
disable-what = Was inzwischen geschieht, wird nicht nachgeholt.
rotate = Neues Geheimnis
rotate-what = Das alte signiert noch 24 Stunden neben dem neuen.
delete = Löschen
delete-what = Mit allen Versuchen. Das lässt sich nicht zurücknehmen.
done-webhook-enabled = Er ist eingeschaltet.
done-webhook-disabled = Er ist abgeschaltet.
done-webhook-deleted = Der Webhook wurde gelöscht.
done-attempt-replayed = Der Aufruf wird wiederholt.
attempts = Aufrufe der letzten 30 Tage
no-attempts = Kein Aufruf passt.
attempt-number = Versuch { $n }
attempt-failed = Gescheitert
attempt-succeeded = Gelungen
attempt-duration = Dauer
outcome = Ergebnis
event = Ereignis
answer = Antwort des Empfängers
answer-body = Inhalt
then = Danach
tried-again-at = Nächster Versuch um
message-pending = Wartet auf den Aufruf
message-delivered = Zugestellt
message-failed = Aufgegeben
replay = Erneut aufrufen

# Unzustellbares.
dead-letter = Unzustellbare Nachricht
dead-letters-what = Nachrichten von Gateways, die nicht angenommen werden konnten. Sie bleiben ganz erhalten, bis die Ursache behoben ist.
no-dead-letters = Keine Nachricht passt.
dead-reason = Grund
dead-reason-too-large = Sie ist zu groß.
dead-reason-bad-json = Sie ist kein JSON.
dead-reason-validation-failed = Ihr Inhalt ist nicht gültig.
dead-reason-no-channel = Sie nennt keinen Kanal.
dead-reason-unknown-routing-key = Ihr Routing-Key ist unbekannt.
dead-reason-unknown-delivery = Sie meldet eine Zustellung, die es nicht gibt.
dead-reason-contradicting-report = Sie widerspricht einer früheren Meldung.
dead-reason-failed-repeatedly = Der Hub ist wiederholt an ihr gescheitert.
letter-open = Offen
letter-replayed = Angenommen
letter-discarded = Verworfen
letter-replay = Erneut annehmen
letter-replay-what = Als wäre sie eben gekommen: nachdem die Ursache behoben ist.
letter-discard = Verwerfen
letter-discard-what = Sie wird aufgegeben und bleibt verzeichnet.
done-letter-replayed = Sie wurde angenommen.
done-letter-discarded = Sie wurde verworfen.
still-refused = Sie wird noch immer abgelehnt und bleibt offen:
settled-open = Sie ist offen.
settled-replayed = Sie wurde schon angenommen; es ist nichts mehr zu tun.
settled-discarded = Sie wurde schon verworfen; es ist nichts mehr zu tun.
settled-at = Erledigt
message-body = Nachricht
message-headers = Header
message-empty = Sie ist leer.
message-cut = Gezeigt werden die ersten { $n } Zeichen.
message-id = Nachrichten-ID
routing-key = Routing-Key
content-type = Inhaltstyp
size = Größe
bytes = { $n ->
    [one] { $n } Byte
   *[other] { $n } Bytes
}

# Freigaberegeln.
policies-what = Wie viele eine Antwort freigeben müssen. Es gilt die erste Regel, die passt. Sie stehen in der Konfiguration des Hubs.
policies-else = Wo keine passt, muss eine Person freigeben.
no-policies = Es gibt keine; deshalb muss jede Antwort von einer Person freigegeben werden.
policy-always = Sie passt auf jede Antwort.
policy-when = Sie passt, wenn all das zutrifft:
policy-all-authors = Alle, die daran geschrieben haben, müssen unter den Genannten sein.
requires-one = Eine Person muss freigeben.
requires-two = Zwei Personen müssen freigeben.
requires-some = Von hundert Antworten warten { $n } zufällig gewählte auf Freigabe; die übrigen werden sofort freigegeben.
customer-status = Status des Kunden
or = oder
explain = Welche gilt?
explain-do = Erklären
explain-applies = Es gilt die Regel „{ $policy }“.
explain-none = Keine Regel passt.
explain-reply = Zur Antwort
explain-matches = Passt
explain-no-match = Passt nicht
condition = Bedingung
wanted = Verlangt
found = Vorgefunden
holds = Trifft zu

# Das Protokoll.
audit-what = Alles, was geändert wurde, und von wem; das Neueste zuerst. Ob das Protokoll unverändert ist, prüft der Befehl nexus-hub audit verify.
no-audit = Kein Eintrag passt.
audit-entity = Was
audit-entity-id = Dessen ID
audit-actor = Wer
audit-action = Vorgang
audit-from = Von
audit-to = Bis
audit-changes = Änderungen
audit-field = Feld
audit-before = Vorher
audit-after = Nachher
audit-of = Dazu im Protokoll
audit-by = Von dieser Person im Protokoll
the-hub = Der Hub selbst
request-id = Anfrage an den Hub
entity-customer = Kunde
entity-inquiry = Anfrage
entity-response = Antwort
entity-user = Benutzer
entity-session = Sitzung
entity-delivery = Zustellung
entity-api-key = API-Schlüssel
entity-dead-letter = Unzustellbare Nachricht
entity-notification = Benachrichtigung
entity-webhook = Webhook
entity-webhook-attempt = Aufruf eines Webhooks

# Der Hub und wovon er abhängt.
version = Version { $version }

# Wörter mehrerer dieser Seiten.
about = Angaben
at = Wann
created = Angelegt
created-by = Angelegt von
changed = Geändert
flag-true = Ja
flag-false = Nein
field-role = Rolle
field-is-active = Aktiv
field-max-open-inquiries = Offene Anfragen höchstens
field-skills = Fachgebiete
field-scopes = Berechtigungen
field-name = Name
field-url = URL
field-events = Ereignisse
field-description = Beschreibung
field-response-id = ID einer Antwort oder ein Link zu ihr
error-too-short = ist zu kurz
error-control-character = darf keine Steuerzeichen oder Zeilenumbrüche enthalten
error-common-password = ist zu leicht zu erraten
error-invalid-email = ist keine E-Mail-Adresse
error-invalid-url = muss eine öffentliche Adresse sein, die mit https beginnt, ohne Benutzer, Passwort und Fragment
error-out-of-range = liegt außerhalb des Erlaubten
error-too-many = sind zu viele
error-unknown-value = gibt es nicht
error-not-found = gibt es nicht
