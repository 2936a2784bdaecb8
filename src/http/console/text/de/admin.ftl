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
event = Ereignis
answer = Antwort des Empfängers
then = Danach

# Freigaberegeln.
customer-status = Status des Kunden

# Das Protokoll.
audit-of = Dazu im Protokoll
audit-by = Von dieser Person im Protokoll

# Der Hub und wovon er abhängt.
version = Version { $version }

# Wörter mehrerer dieser Seiten.
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
