//! The demo's customers. They have no mail server and no telephone: domains are reserved for documentation (RFC
//! 2606), numbers for fiction (by ARCEP, Bundesnetzagentur, NANPA, Ofcom and PTS).

use nexus_actors::domain::FieldError;
use nexus_actors::domain::customer::{CustomerInput, CustomerStatus};
use serde_json::json;

#[derive(Debug)]
pub struct Person {
    pub first_name: &'static str,
    pub last_name: &'static str,
    email: &'static str,
    /// Empty when not known, and so is the company.
    phone: &'static str,
    company: &'static str,
    plan: &'static str,
    locale: &'static str,
}

impl Person {
    pub fn is_business(&self) -> bool {
        !self.company.is_empty()
    }

    pub fn input(&self, status: CustomerStatus) -> Result<CustomerInput, Vec<FieldError>> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let metadata = json!({"plan": self.plan, "locale": self.locale, "newsletter": self.plan == "plus"});
        CustomerInput {
            first_name: self.first_name.to_owned(),
            last_name: self.last_name.to_owned(),
            email: self.email.to_owned(),
            phone: given(self.phone),
            company: given(self.company),
            status: Some(status),
            metadata: metadata.as_object().cloned(),
        }
        .validate()
    }
}

#[rustfmt::skip]
pub const PEOPLE: &[Person] = {
    const fn person(
        first_name: &'static str, last_name: &'static str, email: &'static str, phone: &'static str,
        company: &'static str, plan: &'static str, locale: &'static str,
    ) -> Person {
        Person { first_name, last_name, email, phone, company, plan, locale }
    }
    &[
        person("Ingrid", "Solheim", "ingrid.solheim@fjordpost.example", "", "", "plus", "nb-NO"),
        person("Tomasz", "Wiśniewski", "t.wisniewski@wislatech.example", "",
            "Wisła Tech", "business", "pl-PL"),
        person("Aaliyah", "Johnson", "aaliyah.johnson@brightdesk.example", "+1 312 555 0143",
            "Brightdesk Studios", "business", "en-US"),
        person("Lukas", "Hoffmann", "lukas.hoffmann@mailhaus.example", "", "", "starter", "de-DE"),
        person("Sofía", "Ramírez", "sofia.ramirez@casaluz.example", "",
            "Casa Luz Hoteles", "business", "es-ES"),
        person("Peter", "Lindqvist", "peter.lindqvist@nordpost.example", "+46 70 174 06 20",
            "", "plus", "sv-SE"),
        person("Lan", "Nguyen", "lan.nguyen@sensara.example", "+33 6 39 98 17 37",
            "Sensara", "business", "fr-FR"),
        person("Oliver", "Bennett", "oliver.bennett@postbox.example", "+44 20 7946 0112",
            "", "starter", "en-GB"),
        person("Fatima", "El Amrani", "fatima.elamrani@postbox.example", "", "", "plus", "fr-FR"),
        person("Giulia", "Conti", "giulia.conti@contiarredi.example", "",
            "Conti Arredi", "business", "it-IT"),
        person("Mateusz", "Kowal", "mateusz.kowal@listonosz.example", "", "", "starter", "pl-PL"),
        person("Hannah", "Schwarz", "hannah.schwarz@mailhaus.example", "+49 171 3920010",
            "", "plus", "de-DE"),
        person("Kwame", "Mensah", "kwame.mensah@accralofts.example", "+44 7700 900 218",
            "Accra Lofts", "business", "en-GB"),
        person("Emma", "de Vries", "emma.devries@grachtpost.example", "", "", "starter", "nl-NL"),
        person("João", "Carvalho", "joao.carvalho@correioazul.example", "", "", "plus", "pt-PT"),
        person("Rachel", "Goldstein", "rachel@goldsteinlegal.example", "+1 212 555 0178",
            "Goldstein Legal", "business", "en-US"),
        person("Mikael", "Virtanen", "mikael.virtanen@jarviposti.example", "", "", "starter", "fi-FI"),
        person("Beatriz", "Oliveira", "beatriz.oliveira@correioazul.example", "", "", "plus", "pt-PT"),
        person("Daniel", "Novák", "daniel.novak@novakoptik.example", "", "Novák Optik", "business", "cs-CZ"),
        person("Zainab", "Hussain", "zainab.hussain@postbox.example", "+44 7700 900 451",
            "", "plus", "en-GB"),
        person("Claire", "Dubois", "claire.dubois@petitbureau.example", "+33 6 39 98 31 63",
            "Petit Bureau", "business", "fr-FR"),
        person("Andreas", "Keller", "andreas.keller@alpenmail.example", "", "", "plus", "de-CH"),
        person("Yuki", "Nakamura", "yuki.nakamura@kitefilms.example", "+1 415 555 0129",
            "Kite Films", "business", "en-US"),
        person("Elif", "Demir", "elif.demir@mailhaus.example", "", "", "starter", "de-DE"),
        person("Patrick", "O'Connor", "patrick.oconnor@liffeypost.example", "", "", "starter", "en-IE"),
        person("Marta", "Szymańska", "marta.szymanska@listonosz.example", "", "", "plus", "pl-PL"),
        person("Henrik", "Mortensen", "henrik@havnkontor.example", "", "Havnkontor", "business", "da-DK"),
        person("Isabelle", "Laurent", "isabelle.laurent@boiteauxlettres.example", "", "", "starter", "fr-FR"),
        person("Arjun", "Mehta", "arjun.mehta@saffronlabs.example", "+44 20 7946 0385",
            "Saffron Labs", "business", "en-GB"),
        person("Valentina", "Rossi", "valentina.rossi@postaviva.example", "", "", "plus", "it-IT"),
        person("Markus", "Steiner", "markus.steiner@alpenmail.example", "", "", "starter", "de-AT"),
        person("Grace", "Adeyemi", "grace.adeyemi@lagosgreen.example", "+44 7700 900 672",
            "Lagos Green Catering", "business", "en-GB"),
        person("Sven", "Johansson", "sven.johansson@nordpost.example", "+46 70 174 06 21",
            "", "starter", "sv-SE"),
        person("Camille", "Moreau", "camille.moreau@boiteauxlettres.example", "+33 6 39 98 45 89",
            "", "plus", "fr-FR"),
        person("Anna", "Petrova", "anna.petrova@lingualine.example", "+49 171 3920011",
            "Lingualine", "business", "de-DE"),
        person("William", "Chen", "william.chen@postbox.example", "+1 206 555 0155", "", "plus", "en-US"),
        person("Léa", "Fontaine", "lea.fontaine@boiteauxlettres.example", "", "", "starter", "fr-FR"),
        person("Karim", "Haddad", "karim@haddadarchi.example", "+33 6 39 98 59 35",
            "Haddad Architectes", "business", "fr-FR"),
        person("Nina", "Berger", "nina.berger@mailhaus.example", "+49 171 3920012", "", "plus", "de-DE"),
        person("Rafael", "Santos", "rafael.santos@correioazul.example", "", "", "starter", "pt-PT"),
        person("Eleni", "Papadaki", "eleni.papadaki@meltemi.example", "",
            "Meltemi Yachting", "business", "el-GR"),
        person("James", "Whitfield", "james.whitfield@postbox.example", "+44 20 7946 0921",
            "", "starter", "en-GB"),
        person("Aylin", "Yıldız", "aylin.yildiz@grachtpost.example", "", "", "plus", "nl-NL"),
        person("Pieter", "Janssens", "pieter@janssensfietsen.example", "",
            "Janssens Fietsen", "business", "nl-BE"),
        person("Ioana", "Popescu", "ioana.popescu@curierul.example", "", "", "starter", "ro-RO"),
        person("Samira", "Rahimi", "samira.rahimi@mailhaus.example", "", "", "plus", "de-DE"),
        person("Bruno", "Ferreira", "bruno.ferreira@correioazul.example", "", "", "starter", "pt-PT"),
        person("Charlotte", "Nielsen", "charlotte.nielsen@nordpost.example", "", "", "plus", "da-DK"),
        person("Viktor", "Horváth", "viktor@horvathkonyvek.example", "",
            "Horváth Könyvek", "business", "hu-HU"),
        person("Maya", "Cohen", "maya.cohen@clearwater.example", "+1 617 555 0190",
            "Clearwater Dental", "business", "en-US"),
    ]
};
