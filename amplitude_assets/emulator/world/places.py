"""The cities of the users, with their columns in the export and their UTC offsets."""

from typing import NamedTuple


class Place(NamedTuple):
    """A city. `utc_offset` is in hours, without summer time; `share` is its weight among users."""

    country: str
    region: str
    city: str
    dma: str | None
    language: str
    utc_offset: float
    currency: str
    share: float


PLACES = (
    Place("United States", "New York", "New York", "New York, NY", "English", -5, "USD", 8),
    Place("United States", "California", "Los Angeles", "Los Angeles, CA", "English", -8, "USD", 7),
    Place("United States", "Illinois", "Chicago", "Chicago, IL", "English", -6, "USD", 5),
    Place("United States", "Texas", "Austin", "Austin, TX", "English", -6, "USD", 4),
    Place("United States", "Ohio", "Columbus", "Columbus, OH", "English", -5, "USD", 1),
    Place("United States", "Florida", "Miami", "Miami, FL", "Spanish", -5, "USD", 2),
    Place("Canada", "Ontario", "Toronto", None, "English", -5, "CAD", 3),
    Place("Canada", "Quebec", "Montréal", None, "French", -5, "CAD", 2),
    Place("Canada", "Newfoundland and Labrador", "St. John's", None, "English", -3.5, "CAD", 0.5),
    Place("Mexico", "Mexico City", "Mexico City", None, "Spanish", -6, "USD", 3),
    Place("Brazil", "São Paulo", "São Paulo", None, "Portuguese", -3, "BRL", 5),
    Place("Argentina", "Buenos Aires", "La Plata", None, "Spanish", -3, "USD", 1.5),
    Place("United Kingdom", "England", "London", None, "English", 0, "GBP", 7),
    Place("United Kingdom", "Scotland", "Edinburgh", None, "English", 0, "GBP", 1.5),
    Place("Ireland", "Leinster", "Dublin", None, "English", 0, "EUR", 1),
    Place("Portugal", "Lisbon", "Lisbon", None, "Portuguese", 0, "EUR", 1),
    Place("Spain", "Madrid", "Madrid", None, "Spanish", 1, "EUR", 2.5),
    Place("France", "Île-de-France", "Paris", None, "French", 1, "EUR", 4),
    Place("Netherlands", "North Holland", "Amsterdam", None, "Dutch", 1, "EUR", 2.5),
    Place("Belgium", "Flanders", "Ghent", None, "Dutch", 1, "EUR", 1),
    Place("Germany", "Berlin", "Berlin", None, "German", 1, "EUR", 3.5),
    Place("Germany", "Bavaria", "Munich", None, "German", 1, "EUR", 2.5),
    Place("Switzerland", "Zurich", "Zürich", None, "German", 1, "CHF", 1),
    Place("Italy", "Lombardy", "Milan", None, "Italian", 1, "EUR", 2),
    Place("Poland", "Mazovia", "Warsaw", None, "Polish", 1, "PLN", 2),
    Place("Sweden", "Stockholm County", "Stockholm", None, "Swedish", 1, "SEK", 1.5),
    Place("Greece", "Attica", "Athens", None, "Greek", 2, "EUR", 1),
    Place("Türkiye", "Istanbul", "Istanbul", None, "Turkish", 3, "USD", 2),
    Place("Kenya", "Nairobi County", "Nairobi", None, "English", 3, "USD", 1),
    Place("South Africa", "Gauteng", "Johannesburg", None, "English", 2, "USD", 1),
    Place("United Arab Emirates", "Dubai", "Dubai", None, "Arabic", 4, "USD", 1),
    Place("India", "Maharashtra", "Mumbai", None, "English", 5.5, "INR", 5),
    Place("India", "Karnataka", "Bengaluru", None, "English", 5.5, "INR", 4),
    Place("Indonesia", "Jakarta", "Jakarta", None, "Indonesian", 7, "USD", 2),
    Place("Singapore", "Singapore", "Singapore", None, "English", 8, "SGD", 1.5),
    Place("Malaysia", "Selangor", "Petaling Jaya", None, "English", 8, "USD", 1),
    Place("South Korea", "Seoul", "Seoul", None, "Korean", 9, "USD", 1.5),
    Place("Japan", "Tokyo", "Tokyo", None, "Japanese", 9, "JPY", 3.5),
    Place("Japan", "Osaka", "Osaka", None, "Japanese", 9, "JPY", 1.5),
    Place("Australia", "Victoria", "Melbourne", None, "English", 10, "AUD", 2),
    Place("New Zealand", "Auckland", "Auckland", None, "English", 12, "AUD", 0.7),
)  # fmt: skip
